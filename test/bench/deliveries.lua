-- deliveries.lua: one signed body again and again, each with a delivery id of
-- its own. Arguments: the body's file, its signature, a number that no other run
-- on the same server has, "close" for a new connection for each.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local before, after, prefix
local sent = 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local headers = {
    ["Content-Type"] = "application/json",
    ["User-Agent"] = "GitHub-Hookshot/7d1c2b5",
    ["X-GitHub-Event"] = "push",
    ["X-Hub-Signature-256"] = "sha256=" .. args[2],
    ["X-GitHub-Delivery"] = "DELIVERY",
  }
  if args[4] == "close" then
    headers["Connection"] = "close"
  end
  local whole = wrk.format("POST", nil, headers, file:read("*a"))
  local first, last = whole:find("DELIVERY", 1, true)
  before, after = whole:sub(1, first - 1), whole:sub(last + 1)
  prefix = string.format("%08x-%04x-4000-8000-", args[3], number)
  file:close()
end

function request()
  sent = sent + 1
  return before .. prefix .. string.format("%012x", sent) .. after
end

function done(summary, latency)
  local errors = summary.errors
  print("answers=" .. summary.requests)
  print("refused=" .. errors.status)
  print("errors=" .. errors.connect + errors.read + errors.write + errors.timeout)
  print("microseconds=" .. summary.duration)
  print(string.format("p50=%.2f", latency:percentile(50) / 1000))
  print(string.format("p99=%.2f", latency:percentile(99) / 1000))
end
