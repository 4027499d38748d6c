-- tables as arrays and as maps, sorting, closures
local n = tonumber(arg and arg[1]) or 20000
local seed = 42
local function random(k) seed = (seed * 1103515245 + 12345) % 2147483648 return seed % k end
local list = {}
for i = 1, n do list[i] = random(1000000) end
table.sort(list, function(a, b) return a < b end)
local count = {}
for i = 1, n do local k = list[i] % 997 count[k] = (count[k] or 0) + 1 end
local most, key = 0, 0
for k, v in pairs(count) do if v > most or (v == most and k < key) then most, key = v, k end end
local primes, sieve = 0, {}
for i = 2, n do
  if not sieve[i] then
    primes = primes + 1
    for j = i * i, n, i do sieve[j] = true end
  end
end
print(list[1], list[n // 2], list[n], most, key, primes)
