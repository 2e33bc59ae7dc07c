-- What wrk counted, in one line of JSON.
done = function(summary, latency, requests)
  local failed = summary.errors
  local errors = failed.connect + failed.read + failed.write + failed.status + failed.timeout
  io.write(string.format(
    'SUMMARY {"requests":%d,"bytes":%d,"micros":%d,"errors":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.bytes, summary.duration, errors,
    latency:percentile(50), latency:percentile(99)
  ))
end
