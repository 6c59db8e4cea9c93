-- Takes deliveries that are due, so that no other host takes them for a while, by the clock of the server.
-- KEYS: the deliveries by the time at which they are due, and those that are taken by the time at which they come back. ARGV:
-- what the key of a delivery begins with, now by the clock of the hosts, for how many milliseconds, the most.
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', clock, 'LIMIT', 0, 1000)) do
    redis.call('ZREM', KEYS[2], name)
    redis.call('ZADD', KEYS[1], 0, name)
end
local taken = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', 0, ARGV[4])) do
    redis.call('ZREM', KEYS[1], name)
    if redis.call('EXISTS', ARGV[1] .. name) == 1 then
        redis.call('ZADD', KEYS[2], clock + tonumber(ARGV[3]), name)
        taken[#taken + 1] = name
    end
end
return taken
