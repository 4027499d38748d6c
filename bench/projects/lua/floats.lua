-- floating point in tables: the outer planets, and a matrix by a vector
local steps = tonumber(arg and arg[1]) or 400
local bodies = {
  { 0, 0, 0, 0, 0, 0, 39.47 },
  { 4.84, -1.16, -0.10, 0.606, 2.81, -0.02, 0.037 },
  { 8.34, 4.12, -0.4, -1.01, 1.82, 0.008, 0.011 },
  { 12.89, -15.11, -0.22, 1.08, 0.86, -0.01, 0.0017 },
}
for _ = 1, steps do
  for i = 1, #bodies do
    local a = bodies[i]
    for j = i + 1, #bodies do
      local b = bodies[j]
      local x, y, z = a[1] - b[1], a[2] - b[2], a[3] - b[3]
      local square = x * x + y * y + z * z
      local pull = 0.001 / (square * math.sqrt(square))
      a[4], a[5], a[6] = a[4] - x * b[7] * pull, a[5] - y * b[7] * pull, a[6] - z * b[7] * pull
      b[4], b[5], b[6] = b[4] + x * a[7] * pull, b[5] + y * a[7] * pull, b[6] + z * a[7] * pull
    end
  end
  for i = 1, #bodies do
    local a = bodies[i]
    a[1], a[2], a[3] = a[1] + 0.001 * a[4], a[2] + 0.001 * a[5], a[3] + 0.001 * a[6]
  end
end
local size, sum = 60, 0.0
for i = 1, size do
  for j = 1, size do sum = sum + 1.0 / ((i + j) * (i + j + 1) // 2 + i + 1) end
end
print(string.format("%.9f %.9f %.9f", bodies[2][1], bodies[3][2], sum))
