-- calls.lua: signed calls on the AWS wire, in turns. Argument: a file of whole
-- requests, separated by lines of "----".
local requests = {}
local sent = 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for request in (file:read("*a") .. "\n"):gmatch("(.-)\n%-%-%-%-\n") do
    requests[#requests + 1] = request
  end
  file:close()
end

function request()
  sent = sent + 1
  return requests[sent % #requests + 1]
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
