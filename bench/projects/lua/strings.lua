-- strings: building, searching, replacing, formatting
local n = tonumber(arg and arg[1]) or 2000
local parts = {}
for i = 1, n do parts[#parts + 1] = string.format("%05d:%s", i, ("abc"):rep(i % 7)) end
local text = table.concat(parts, " ")
local words, total = 0, 0
for word in text:gmatch("%S+") do words = words + 1 total = total + #word end
local changed, times = text:gsub("abc", "x")
local where = 0
for i = 1, n // 10 do where = where + (text:find(string.format("%05d", i * 7 % n + 1), 1, true) or 0) end
print(words, total, #changed, times, where, text:upper():sub(-12), text:byte(17))
