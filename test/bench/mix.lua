-- mix.lua: deliveries that trigger, and between them all that receivers meet
-- besides. Arguments: the directory with the bodies (main, other, broken), the
-- signature of each, a number that no other run on the same server has, and
-- after how many deliveries that trigger to stop: what is under way then is cut off.
local bodies = { "main", "other", "broken" }
local triggered, requests, run, stop_at
local count, sent = 0, 0

local function text(body, signature, delivery, options)
  options = options or {}
  return wrk.format("POST", options.path, {
    ["Host"] = wrk.headers["Host"],
    ["Content-Type"] = options.type or "application/json",
    ["User-Agent"] = "GitHub-Hookshot/7d1c2b5",
    ["X-GitHub-Event"] = options.event or "push",
    ["X-GitHub-Delivery"] = delivery,
    ["X-Hub-Signature-256"] = "sha256=" .. signature,
    ["Connection"] = options.connection,
  }, body)
end

function init(args)
  local body, signature = {}, {}
  for n, name in ipairs(bodies) do
    local file = assert(io.open(args[1] .. "/" .. name, "rb"))
    body[name], signature[name] = file:read("*a"), args[n + 1]
    file:close()
  end
  run, stop_at = args[5], tonumber(args[6])
  triggered = {
    text(body.main, signature.main, "DELIVERY"),
    text(body.main, signature.main, "DELIVERY", { connection = "close" }),
  }
  for n, whole in ipairs(triggered) do
    local first, last = whole:find("DELIVERY", 1, true)
    triggered[n] = { whole:sub(1, first - 1), whole:sub(last + 1) }
  end
  requests = {
    text(body.main, signature.main, "the same again"),
    text(body.other, signature.other, "another branch"),
    text(body.main, signature.other, "a wrong signature"),
    text(body.broken, signature.broken, "no JSON"),
    text(body.main, signature.main, "an unknown URL", { path = "/trigger/" .. string.rep("x", 43) }),
    text(body.main, signature.main, "another type", { type = "text/plain" }),
    text(body.main, signature.main, "a ping", { event = "ping" }),
  }
end

-- Each of the other requests stands between two deliveries that trigger; of
-- these one in twenty is the last of its connection.
function request()
  count = count + 1
  if count % 2 == 0 then
    -- An unknown URL of its own each time fills the receivers' memory of them.
    local other = requests[count / 2 % #requests + 1]
    return (other:gsub("xxxxxxxxxxxx", string.format("%012d", count), 1))
  end
  sent = sent + 1
  if sent > stop_at then
    -- thread:stop() would leave wrk asleep for the rest of its time.
    os.exit(0)
  end
  local parts = triggered[sent % 20 == 0 and 2 or 1]
  return parts[1] .. run .. "-" .. sent .. parts[2]
end
