-- Changes an entry of a stage, by the rule of Space in the crate gristmill-core.
-- KEYS: the entries of the stage. ARGV: the key; what is expected: nothing for anything, 0 for no entry, else its version;
-- the most keys and the most bytes; 1 and the value, or 0 to delete it.
-- Returns 'done' and the new version, 'conflict' and the entry that is there, or 'full'. An entry is its version, ':' and
-- its value.
local field = 'e:' .. ARGV[1]
local old = redis.call('HGET', KEYS[1], field)
local colon = old and string.find(old, ':', 1, true)
local expected = ARGV[2]
if (expected == '0' and old)
    or (expected ~= '' and expected ~= '0' and not (old and string.sub(old, 1, colon - 1) == expected)) then
    return { 'conflict', old or '' }
end

local sums = redis.call('HMGET', KEYS[1], 'keys', 'bytes', 'version')
local keys, bytes, version = tonumber(sums[1] or 0), tonumber(sums[2] or 0), tonumber(sums[3] or 0) + 1
local new_keys, new_bytes = keys, bytes
if old then
    new_keys = new_keys - 1
    new_bytes = new_bytes - #ARGV[1] - (#old - colon)
end
if ARGV[5] == '1' then
    new_keys = new_keys + 1
    new_bytes = new_bytes + #ARGV[1] + #ARGV[6]
end
if (new_keys > keys and new_keys > tonumber(ARGV[3])) or (new_bytes > bytes and new_bytes > tonumber(ARGV[4])) then
    return { 'full', '' }
end

local function text(number)
    return string.format('%.0f', number)
end
if ARGV[5] == '1' then
    redis.call('HSET', KEYS[1], field, text(version) .. ':' .. ARGV[6])
else
    redis.call('HDEL', KEYS[1], field)
end
redis.call('HSET', KEYS[1], 'keys', text(new_keys), 'bytes', text(new_bytes), 'version', text(version))
return { 'done', text(version) }
