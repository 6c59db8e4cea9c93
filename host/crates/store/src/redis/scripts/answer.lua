-- Keeps an answer in place of an earlier one. While all answers are larger than allowed, those go that soon are too old.
-- KEYS: the answers by the time at which they are too old, their sizes, the sum of these. ARGV: what the key of an answer
-- begins with, the key, the value, for how many milliseconds, its size, the largest sum.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function forget(key)
    local size = redis.call('HGET', KEYS[2], key)
    if size then
        redis.call('HDEL', KEYS[2], key)
        redis.call('DECRBY', KEYS[3], size)
    end
    redis.call('ZREM', KEYS[1], key)
    redis.call('DEL', ARGV[1] .. key)
end

for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)) do
    forget(key)
end
forget(ARGV[2])
local size, most = tonumber(ARGV[5]), tonumber(ARGV[6])
local sum = tonumber(redis.call('GET', KEYS[3]) or '0')
while size <= most and sum + size > most do
    local oldest = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
    if not oldest then
        break
    end
    forget(oldest)
    sum = tonumber(redis.call('GET', KEYS[3]) or '0')
end
if size <= most then
    redis.call('SET', ARGV[1] .. ARGV[2], ARGV[3], 'PX', ARGV[4])
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), ARGV[2])
    redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])
    redis.call('INCRBY', KEYS[3], ARGV[5])
end
return 1
