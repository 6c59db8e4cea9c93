-- Puts a value in place of one that this version cannot read, unless somebody else was faster. Returns whether it did.
-- KEYS: the job. ARGV: the key, the new value, the old one.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[3] then
    return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
