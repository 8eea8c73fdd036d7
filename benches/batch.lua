-- wrk script: sends the lines of a file as bodies, one after the other. BODIES = that file, RPATH = path, TOKEN = key,
-- ITEMS = checks in a body. Prints one RESULT line in checks a second.
local headers = { ['Content-Type'] = 'application/json', ['Authorization'] = 'Bearer ' .. os.getenv('TOKEN') }
local requests, i, items = {}, 0, tonumber(os.getenv('ITEMS'))
function init()
  for body in io.lines(os.getenv('BODIES')) do requests[#requests + 1] = wrk.format('POST', os.getenv('RPATH'), headers, body) end
end
function request() i = i % #requests + 1; return requests[i] end
function done(summary, latency)
  io.write(string.format('RESULT %.0f checks/s p50 %.3f ms p99 %.3f ms non-200 %d socket errors %d\n', items * summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, summary.errors.status, summary.errors.read + summary.errors.write + summary.errors.timeout))
end
