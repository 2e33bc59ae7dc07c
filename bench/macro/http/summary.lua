-- What wrk counted, in one line of JSON.
done = function(summary, latency, requests)
  local failed = summary.errors
  -- What took longer than wrk's two seconds came all the same.
  local errors = failed.connect + failed.read + failed.write + failed.status
  io.write(string.format(
    'SUMMARY {"requests":%d,"bytes":%d,"micros":%d,"errors":%d,"late":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.bytes, summary.duration, errors, failed.timeout,
    latency:percentile(50), latency:percentile(99)
  ))
end
