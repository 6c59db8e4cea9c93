-- Keeps a value unless one is kept already, and returns that one.
-- KEYS: the job. ARGV: the key, the value, for how many milliseconds the job is kept from now on.
local earlier = redis.call('HGET', KEYS[1], ARGV[1])
if not earlier then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return earlier
