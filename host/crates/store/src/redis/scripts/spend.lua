-- Adds to what was spent, each note once. Sums stop at the largest number.
-- KEYS: the sums, how far this host has added. ARGV: for how many milliseconds to remember that, then for each note its
-- number, and for each of its sums the field and the amount; a note has six.
local added = tonumber(redis.call('GET', KEYS[2]) or '0')
for i = 2, #ARGV, 13 do
    local number = tonumber(ARGV[i])
    if number > added then
        for j = i + 1, i + 11, 2 do
            local sum = redis.pcall('HINCRBY', KEYS[1], ARGV[j], ARGV[j + 1])
            if type(sum) == 'table' and sum.err then
                redis.call('HSET', KEYS[1], ARGV[j], '9223372036854775807')
            end
        end
        added = number
    end
end
redis.call('SET', KEYS[2], added, 'PX', ARGV[1])
return 1
