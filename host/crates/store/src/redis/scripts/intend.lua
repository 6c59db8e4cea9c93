-- Notes that a record of a document is about to be written, as these items.
-- KEYS: the document. ARGV: the record, for how many milliseconds a document is kept that has left nothing, the generation,
-- then the items.

-- Byte by byte: the order of strings in Lua depends on the language of the server.
local function less(one, other)
    for i = 1, 24 do
        local a, b = string.byte(one, i) or -1, string.byte(other, i) or -1
        if a ~= b then
            return a < b
        end
    end
    return false
end

local begun = redis.call('HGET', KEYS[1], 'begun')
if not begun or not less(ARGV[1], begun) then
    redis.call('HSET', KEYS[1], 'begun', ARGV[1])
end
for i = 4, #ARGV do
    local by = redis.call('HGET', KEYS[1], ARGV[i])
    if not by or less(by, ARGV[3]) then
        redis.call('HSET', KEYS[1], ARGV[i], ARGV[3])
    end
end
local items = redis.call('HLEN', KEYS[1]) - 1 - redis.call('HEXISTS', KEYS[1], 'last')
if items > 0 then
    redis.call('PERSIST', KEYS[1])
else
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
