-- Notes a try of a delivery, or that it is due again without one. Returns whether there is such a delivery.
-- KEYS: the deliveries that are due, those that are taken, the delivery. ARGV: its name, when it is due next or nothing; then, if
-- it was tried, when, the status of the answer or nothing, and "e" and what went wrong, or nothing.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 0 then
    return 0
end
redis.call('HSET', KEYS[3], 'due', ARGV[2])
if ARGV[2] ~= '' then
    redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
if ARGV[3] then
    redis.call('HINCRBY', KEYS[3], 'tries', 1)
    redis.call('HSET', KEYS[3], 'tried', ARGV[3], 'status', ARGV[4], 'error', ARGV[5])
end
return 1
