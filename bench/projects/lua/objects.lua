-- metatables, methods, varargs, coroutines, errors: not in the workload
local n = tonumber(arg and arg[1]) or 20000
local Point = {}
Point.__index = Point
function Point.new(x, y) return setmetatable({ x = x, y = y }, Point) end
function Point.__add(a, b) return Point.new(a.x + b.x, a.y + b.y) end
function Point:norm() return self.x * self.x + self.y * self.y end
local function count(...) return select("#", ...) end
local sum = Point.new(0, 0)
for i = 1, n do sum = sum + Point.new(i % 3, i % 5) end
local co = coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end return 0 end)
local got = 0
for _ = 1, n do got = got + co() end
local failed = 0
for i = 1, n // 10 do if not pcall(function() if i % 2 == 0 then error("x") end end) then failed = failed + 1 end end
print(sum.x, sum.y, sum:norm(), got, failed, count(1, nil, 3, nil))
