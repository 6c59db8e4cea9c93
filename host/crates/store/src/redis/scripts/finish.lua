-- Notes that a record of a document is in the sink, and forgets the items that only smaller generations have written.
-- Nothing if a greater one is there.
-- KEYS: the document. ARGV: the record, for how many milliseconds a document is kept that has left nothing.

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

local last = redis.call('HGET', KEYS[1], 'last')
if last and less(ARGV[1], last) then
    return 0
end
redis.call('HSET', KEYS[1], 'last', ARGV[1])
local items = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
    if all[i] ~= 'last' and all[i] ~= 'begun' then
        if less(all[i + 1], ARGV[1]) then
            redis.call('HDEL', KEYS[1], all[i])
        else
            items = items + 1
        end
    end
end
if items > 0 then
    redis.call('PERSIST', KEYS[1])
else
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
