-- What hosts count together: see Meter in the crate gristmill-core, whose rule this is. By the clock of the server.
-- KEYS: the counter. ARGV: take, settle or raise; how much becomes free in a minute; for how many milliseconds it is kept,
-- or nothing; then for take the bound, the least and the most that is wanted, the seconds to wait; else the amount.
-- Returns for take what was granted, or nothing, in how many seconds, or nothing, and what was used before.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local per_minute = tonumber(ARGV[2])
local used = tonumber(redis.call('HGET', KEYS[1], 'used') or '0')
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or now)
if now > at then
    used = math.max(used - (now - at) * per_minute / 60, 0)
    at = now
end

local before, amount, after = used, nil, nil
if ARGV[1] == 'take' then
    local least, wanted, within = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
    local free = tonumber(ARGV[4]) - used
    if free + 1e-6 >= least then
        amount = math.min(math.max(math.floor(math.max(free, 0)), least), math.max(wanted, least))
        after = 0
    elseif per_minute > 0 then
        after = (least - free) * 60 / per_minute
        if after <= within then
            amount = least
        end
    end
    used = used + (amount or 0)
elseif ARGV[1] == 'settle' then
    used = math.max(used + tonumber(ARGV[4]), 0)
else
    used = math.max(used, tonumber(ARGV[4]))
end

redis.call('HSET', KEYS[1], 'used', string.format('%.17g', used), 'at', string.format('%.17g', at))
if ARGV[3] == '' then
    redis.call('PERSIST', KEYS[1])
else
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
end

local function text(number)
    return number and string.format('%.17g', number) or ''
end
return { text(amount), text(after), text(before) }
