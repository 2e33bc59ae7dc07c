-- Another path each time: those of a file, in turn from a place on, or names that nobody has asked for yet.
--   each.lua URL -- list FILE PLACE
--   each.lua URL -- new PREFIX
dofile(debug.getinfo(1, 'S').source:sub(2):gsub('each.lua$', 'summary.lua'), nil)

local known = {}
local paths = {}
local at = 0
local prefix

function init(args)
  if args[1] == 'new' then
    prefix = args[2]
    return
  end
  for path in io.lines(args[2]) do
    -- One text for each path, and one head for each text.
    known[path] = known[path] or wrk.format('GET', path)
    paths[#paths + 1] = known[path]
  end
  at = tonumber(args[3]) % #paths
end

function request()
  at = at + 1
  if prefix then return wrk.format('GET', prefix .. at) end
  if at > #paths then at = 1 end
  return paths[at]
end
