-- Does commands, unless something is no longer as it was read. Returns whether it did.
-- ARGV: how many comparisons there are, then for each a key, a field of its hash or nothing, and the value or nothing; then the
-- commands, each after the number of its words.
local at = 1
local function take()
    at = at + 1
    return ARGV[at - 1]
end

for _ = 1, tonumber(take()) do
    local key, field, expected = take(), take(), take()
    local found
    if field == '' then
        found = redis.call('GET', key)
    else
        found = redis.call('HGET', key, field)
    end
    if (found or '') ~= expected then
        return 0
    end
end
while at <= #ARGV do
    local words = tonumber(take())
    redis.call(unpack(ARGV, at, at + words - 1))
    at = at + words
end
return 1
