-- deliveries.lua: one signed body again and again, each with a delivery id of
-- its own. Arguments: the body's file, its signature, a number that no other run
-- on the same server has, "close" for a new connection for each, a file of paths
-- of one length, one of which each request picks.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local before, after, prefix
local paths
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
  if args[5] then
    paths = {}
    for path in io.lines(args[5]) do
      paths[#paths + 1] = path
    end
    math.randomseed(args[3] * 1000 + number)
  end
  local whole = wrk.format("POST", paths and paths[1], headers, file:read("*a"))
  local first, last = whole:find("DELIVERY", 1, true)
  before, after = whole:sub(1, first - 1), whole:sub(last + 1)
  prefix = string.format("%08x-%04x-4000-8000-", args[3], number)
  file:close()
end

function request()
  local head = before
  sent = sent + 1
  if paths then
    local path = paths[math.random(#paths)]
    head = "POST " .. path .. before:sub(6 + #path)
  end
  return head .. prefix .. string.format("%012x", sent) .. after
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
