/*
 * shapes.c
 *		The shapes of the requests, as the API's model has them.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/shape.h"

#define STRING(...)		{.type = CPW_SHAPE_STRING, __VA_ARGS__}
#define INTEGER(...)	{.type = CPW_SHAPE_INTEGER, __VA_ARGS__}
#define LIST(...)		{.type = CPW_SHAPE_LIST, __VA_ARGS__}
#define WHOLE_LIST(...)	{.type = CPW_SHAPE_WHOLE_LIST, __VA_ARGS__}
#define STRUCTURE(...) \
	{.type = CPW_SHAPE_STRUCTURE, .members = (const CpwMember[]) \
		{__VA_ARGS__, {NULL, NULL, false}}}
#define ENUMERATION(...) \
	STRING(.values = (const char *const[]) {__VA_ARGS__, NULL})

#define REQUIRED(name, shape)	{name, &(shape), true}
#define OPTIONAL(name, shape)	{name, &(shape), false}

#define UUID_PATTERN \
	"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

/* ---- scalars ---- */

static const CpwShape name = STRING(.min = 1, .max = 100,
									.pattern = "[A-Za-z0-9.@\\-_]+");
static const CpwShape next_token = STRING(.min = 1, .max = 2048);
static const CpwShape max_100 = INTEGER(.min = 1, .max = 100);
static const CpwShape max_1000 = INTEGER(.min = 1, .max = 1000);
static const CpwShape version = INTEGER(.min = 1);
static const CpwShape boolean = {.type = CPW_SHAPE_BOOLEAN};
static const CpwShape whole_object = {.type = CPW_SHAPE_WHOLE_OBJECT};
static const CpwShape whole_list = {.type = CPW_SHAPE_WHOLE_LIST};
static const CpwShape execution_id = STRING(.pattern = UUID_PATTERN);
static const CpwShape resource_arn =
STRING(.pattern = "arn:aws(-[\\w]+)*:codepipeline:.+:[0-9]{12}:.+");
static const CpwShape role_arn =
STRING(.max = 1024, .pattern = "arn:aws(-[\\w]+)*:iam::[0-9]{12}:role/.*");

/* ---- tags ---- */

static const CpwShape tag_key = STRING(.min = 1, .max = 128);
static const CpwShape tag_value = STRING(.max = 256);
static const CpwShape tag = STRUCTURE(REQUIRED("key", tag_key),
									  REQUIRED("value", tag_value));
static const CpwShape tags = LIST(.element = &tag);
static const CpwShape tag_keys = LIST(.element = &tag_key);

/* ---- webhooks ---- */

static const CpwShape text_150 = STRING(.min = 1, .max = 150);
static const CpwShape filter_rule =
STRUCTURE(REQUIRED("jsonPath", text_150),
		  OPTIONAL("matchEquals", text_150));
static const CpwShape filters = LIST(.max = 5, .element = &filter_rule);

/* The first three are AWS's. */
static const CpwShape authentication =
ENUMERATION("GITHUB_HMAC", "IP", "UNAUTHENTICATED", "HMAC",
			"STANDARD_WEBHOOKS", "GITLAB_TOKEN", "BITBUCKET_HMAC",
			"GITEA_HMAC", "STRIPE", "SLACK", "SHOPIFY", "TWILIO", "ZOOM",
			"DISCORD", "META", "X", "MICROSOFT_GRAPH", "BEARER", "BASIC",
			"API_KEY");
static const CpwShape text_100 = STRING(.min = 1, .max = 100);
static const CpwShape text_300 = STRING(.min = 1, .max = 300);
static const CpwShape secret_token = STRING(.min = 1, .max = 100,
											.secret = true);
static const CpwShape configured_header =
STRING(.min = 1, .max = 100, .pattern = "[A-Za-z0-9!#$%&'*+.^_`|~-]+");
static const CpwShape algorithm = ENUMERATION("sha1", "sha256", "sha384",
											  "sha512");
static const CpwShape encoding = ENUMERATION("hex", "base64", "base64url");
static const CpwShape key_encoding = ENUMERATION("utf8", "hex", "base64",
												 "base64url");
static const CpwShape anything = {.type = CPW_SHAPE_ANY};

/* The first two are AWS's; pg/authentication.c has what goes with what. */
static const CpwShape authentication_configuration =
STRUCTURE(OPTIONAL("AllowedIPRange", text_100),
		  OPTIONAL("SecretToken", secret_token),
		  OPTIONAL("AllowedIPRanges", anything),
		  OPTIONAL("HeaderName", configured_header),
		  OPTIONAL("UserName", text_100),
		  OPTIONAL("PublicKey", text_100),
		  OPTIONAL("VerifyToken", secret_token),
		  OPTIONAL("Algorithm", algorithm),
		  OPTIONAL("Encoding", encoding),
		  OPTIONAL("KeyEncoding", key_encoding),
		  OPTIONAL("Prefix", text_100),
		  OPTIONAL("Separator", text_100),
		  OPTIONAL("SignedTemplate", text_300),
		  OPTIONAL("TimestampHeader", configured_header),
		  OPTIONAL("ToleranceSeconds", anything),
		  OPTIONAL("PreviousSecretToken", secret_token),
		  OPTIONAL("PreviousSecretTokenExpires", text_100),
		  OPTIONAL("KeepPreviousSecretFor", text_100));
static const CpwShape webhook =
STRUCTURE(REQUIRED("name", name),
		  REQUIRED("targetPipeline", name),
		  REQUIRED("targetAction", name),
		  REQUIRED("filters", filters),
		  REQUIRED("authentication", authentication),
		  REQUIRED("authenticationConfiguration",
				   authentication_configuration));

const CpwShape cpw_shape_put_webhook =
STRUCTURE(REQUIRED("webhook", webhook),
		  OPTIONAL("tags", tags));
const CpwShape cpw_shape_list_webhooks =
STRUCTURE(OPTIONAL("NextToken", next_token),
		  OPTIONAL("MaxResults", max_100));
const CpwShape cpw_shape_delete_webhook = STRUCTURE(REQUIRED("name", name));
/* The model requires no name, but there is nothing that can be done without. */
const CpwShape cpw_shape_register_webhook =
STRUCTURE(REQUIRED("webhookName", name));

/* A dry run: not of the API, but in its manner. */
static const CpwShape header_name = STRING(.min = 1, .max = 1000);
static const CpwShape header_value = STRING(.secret = true);
static const CpwShape headers = {
	.type = CPW_SHAPE_MAP,
	.key = &header_name,
	.element = &header_value
};
static const CpwShape query = STRING(.secret = true);
static const CpwShape source_address = STRING(.min = 1, .max = 100);
static const CpwShape delivery_id = STRING(.pattern = UUID_PATTERN);
static const CpwShape since = STRING(.min = 1, .max = 100);

const CpwShape cpw_shape_test_webhook =
STRUCTURE(OPTIONAL("name", name),
		  OPTIONAL("definition", webhook),
		  OPTIONAL("headers", headers),
		  OPTIONAL("body", anything),
		  OPTIONAL("query", query),
		  OPTIONAL("sourceAddress", source_address),
		  OPTIONAL("deliveryId", delivery_id),
		  OPTIONAL("since", since));

/* ---- pipelines ---- */

static const CpwShape category =
ENUMERATION("Source", "Build", "Deploy", "Test", "Invoke", "Approval",
			"Compute");
static const CpwShape owner = ENUMERATION("AWS", "ThirdParty", "Custom");
static const CpwShape provider = STRING(.min = 1, .max = 35,
										.pattern = "[0-9A-Za-z_-]+");
static const CpwShape action_version = STRING(.min = 1, .max = 9,
											  .pattern = "[0-9A-Za-z_-]+");
static const CpwShape action_type_id =
STRUCTURE(REQUIRED("category", category),
		  REQUIRED("owner", owner),
		  REQUIRED("provider", provider),
		  REQUIRED("version", action_version));
static const CpwShape run_order = INTEGER(.min = 1, .max = 999);
static const CpwShape configuration_key = STRING(.min = 1, .max = 50);
static const CpwShape configuration_value = STRING(.min = 1, .max = 1000);
static const CpwShape configuration = {
	.type = CPW_SHAPE_MAP,
	.key = &configuration_key,
	.element = &configuration_value,
	.is_secret_key = cpw_shape_is_secret_key
};
static const CpwShape commands = WHOLE_LIST(.min = 1, .max = 50);
static const CpwShape output_variables = WHOLE_LIST(.min = 1, .max = 15);
static const CpwShape region = STRING(.min = 4, .max = 30);
static const CpwShape action_namespace = STRING(.min = 1, .max = 100,
												.pattern = "[A-Za-z0-9@\\-_]+");
static const CpwShape timeout_in_minutes = INTEGER(.min = 5, .max = 86400);
static const CpwShape environment_variables = WHOLE_LIST(.min = 1, .max = 10);
static const CpwShape action =
STRUCTURE(REQUIRED("name", name),
		  REQUIRED("actionTypeId", action_type_id),
		  OPTIONAL("runOrder", run_order),
		  OPTIONAL("configuration", configuration),
		  OPTIONAL("commands", commands),
		  OPTIONAL("outputArtifacts", whole_list),
		  OPTIONAL("inputArtifacts", whole_list),
		  OPTIONAL("outputVariables", output_variables),
		  OPTIONAL("roleArn", role_arn),
		  OPTIONAL("region", region),
		  OPTIONAL("namespace", action_namespace),
		  OPTIONAL("timeoutInMinutes", timeout_in_minutes),
		  OPTIONAL("environmentVariables", environment_variables));
static const CpwShape actions = LIST(.element = &action);
static const CpwShape stage =
STRUCTURE(REQUIRED("name", name),
		  OPTIONAL("blockers", whole_list),
		  REQUIRED("actions", actions),
		  OPTIONAL("onFailure", whole_object),
		  OPTIONAL("onSuccess", whole_object),
		  OPTIONAL("beforeEntry", whole_object));
static const CpwShape stages = LIST(.element = &stage);
static const CpwShape execution_mode = ENUMERATION("QUEUED", "SUPERSEDED",
												   "PARALLEL");
static const CpwShape pipeline_type = ENUMERATION("V1", "V2");
static const CpwShape at_most_50 = WHOLE_LIST(.max = 50);

/* roleArn is kept but not required: nothing here acts as that role. */
const CpwShape cpw_shape_pipeline_declaration =
STRUCTURE(REQUIRED("name", name),
		  OPTIONAL("roleArn", role_arn),
		  OPTIONAL("artifactStore", whole_object),
		  OPTIONAL("artifactStores", whole_object),
		  REQUIRED("stages", stages),
		  OPTIONAL("version", version),
		  OPTIONAL("executionMode", execution_mode),
		  OPTIONAL("pipelineType", pipeline_type),
		  OPTIONAL("variables", at_most_50),
		  OPTIONAL("triggers", at_most_50));

const CpwShape cpw_shape_create_pipeline =
STRUCTURE(REQUIRED("pipeline", cpw_shape_pipeline_declaration),
		  OPTIONAL("tags", tags));
const CpwShape cpw_shape_update_pipeline =
STRUCTURE(REQUIRED("pipeline", cpw_shape_pipeline_declaration));
const CpwShape cpw_shape_get_pipeline =
STRUCTURE(REQUIRED("name", name),
		  OPTIONAL("version", version));
const CpwShape cpw_shape_list_pipelines =
STRUCTURE(OPTIONAL("nextToken", next_token),
		  OPTIONAL("maxResults", max_1000));
const CpwShape cpw_shape_delete_pipeline = STRUCTURE(REQUIRED("name", name));

/* ---- executions ---- */

static const CpwShape from_1_to_50 = WHOLE_LIST(.min = 1, .max = 50);
static const CpwShape client_request_token =
STRING(.min = 1, .max = 128, .pattern = "^[a-zA-Z0-9-]+$");
static const CpwShape reason = STRING(.max = 200);

const CpwShape cpw_shape_start_pipeline_execution =
STRUCTURE(REQUIRED("name", name),
		  OPTIONAL("variables", from_1_to_50),
		  OPTIONAL("clientRequestToken", client_request_token),
		  OPTIONAL("sourceRevisions", at_most_50));
const CpwShape cpw_shape_stop_pipeline_execution =
STRUCTURE(REQUIRED("pipelineName", name),
		  REQUIRED("pipelineExecutionId", execution_id),
		  OPTIONAL("abandon", boolean),
		  OPTIONAL("reason", reason));
const CpwShape cpw_shape_get_pipeline_execution =
STRUCTURE(REQUIRED("pipelineName", name),
		  REQUIRED("pipelineExecutionId", execution_id));

/* The one filter that there is; another one must not pass silently. */
static const CpwShape succeeded_in_stage = STRUCTURE(REQUIRED("stageName",
															  name));
static const CpwShape execution_filter =
STRUCTURE(OPTIONAL("succeededInStage", succeeded_in_stage));

const CpwShape cpw_shape_list_pipeline_executions =
STRUCTURE(REQUIRED("pipelineName", name),
		  OPTIONAL("maxResults", max_100),
		  OPTIONAL("filter", execution_filter),
		  OPTIONAL("nextToken", next_token));

/* ---- tags of resources ---- */

const CpwShape cpw_shape_tag_resource =
STRUCTURE(REQUIRED("resourceArn", resource_arn),
		  REQUIRED("tags", tags));
const CpwShape cpw_shape_untag_resource =
STRUCTURE(REQUIRED("resourceArn", resource_arn),
		  REQUIRED("tagKeys", tag_keys));
const CpwShape cpw_shape_list_tags_for_resource =
STRUCTURE(REQUIRED("resourceArn", resource_arn),
		  OPTIONAL("nextToken", next_token),
		  OPTIONAL("maxResults", max_100));

bool
cpw_shape_is_secret_key(const char *key, int length)
{
	static const char *const endings[] = {"Token", "Secret", "Password"};

	for (size_t i = 0; i < lengthof(endings); i++)
	{
		int			ending = (int) strlen(endings[i]);

		if (length >= ending &&
			pg_strncasecmp(key + length - ending, endings[i], ending) == 0)
			return true;
	}
	return false;
}
