-- The request is in the environment; the result goes to stdout as one line of JSON.
wrk.method = os.getenv("BENCH_METHOD")
for name, value in string.gmatch(os.getenv("BENCH_HEADERS"), "([^\n:]+): ([^\n]*)\n") do
  wrk.headers[name] = value
end
if os.getenv("BENCH_BODY_SIZE") then
  wrk.body = string.rep("x", tonumber(os.getenv("BENCH_BODY_SIZE")))
else
  wrk.body = os.getenv("BENCH_BODY")
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "microseconds": %d, "bytes": %d, "p50_us": %d, "p99_us": %d, ' ..
    '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
