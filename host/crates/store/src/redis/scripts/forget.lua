-- Deletes records of jobs whose time is over, from the lists, too. Returns how many. What is stored beside a record expires by
-- itself at the same time.
-- KEYS: the records by the time at which they are too old. ARGV: what the names of keys begin with, the most to delete.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local prefix = ARGV[1]
local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, member in ipairs(old) do
    local lines = {}
    for line in string.gmatch(member .. '\n', '(.-)\n') do
        lines[#lines + 1] = line
    end
    local job, owner, batch = lines[1], lines[3], lines[4]
    local listed = lines[2] .. job
    redis.call('DEL', prefix .. 'record:' .. job, prefix .. 'status:' .. job)
    redis.call('ZREM', prefix .. 'list:all', listed)
    for status = 0, 6 do
        redis.call('ZREM', prefix .. 'list:status:' .. status, listed)
    end
    if owner ~= '' then
        redis.call('ZREM', prefix .. 'list:owner:' .. owner, listed)
    end
    if batch ~= '' then
        redis.call('ZREM', prefix .. 'list:batch:' .. batch, listed)
        redis.call('HDEL', prefix .. 'batch:' .. batch, job)
    end
    for i = 5, #lines do
        redis.call('ZREM', prefix .. 'list:attribute:' .. lines[i], listed)
    end
    redis.call('ZREM', prefix .. 'acts', job)
    redis.call('HDEL', prefix .. 'acts:runs', job)
    redis.call('ZREM', KEYS[1], member)
end
return #old
