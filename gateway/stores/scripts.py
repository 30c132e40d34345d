"""The Lua that Redis runs: each script looks at all keys and changes all or none.

A rate is a string that counts one window. A gauge is a hash: a field per gateway process, `count:expiry in ms`, so that
what a dead process held is free again when its heartbeat stops. Redis's own clock decides about expiry.
"""

_GAUGES = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function own(key)
    local field = redis.call('HGET', key, ARGV[1])
    return field and tonumber(string.match(field, '^%d+')) or nil
end
local function hold(key, count)
    if count <= 0 then return redis.call('HDEL', key, ARGV[1]) end
    redis.call('HSET', key, ARGV[1], string.format('%.0f:%.0f', count, now + tonumber(ARGV[2])))
    redis.call('PEXPIRE', key, tonumber(ARGV[2]) * 2)
end
local function gauge(key)
    local total, fields = 0, redis.call('HGETALL', key)
    for i = 1, #fields, 2 do
        local count, expiry = string.match(fields[i + 1], '^(%d+):(%d+)$')
        if tonumber(expiry) > now then
            total = total + tonumber(count)
        else
            redis.call('HDEL', key, fields[i])
        end
    end
    return total
end
"""

# ARGV: process, ms a slot is held; then for each key: ms to keep it (0: a gauge), amount, capacity.
# Returns the index of the key that refused (0: none), then what is used of each.
TAKE = (
    _GAUGES
    + """
local answer = {0}
for i, key in ipairs(KEYS) do
    local at = i * 3
    local used = ARGV[at] == '0' and gauge(key) or tonumber(redis.call('GET', key) or '0')
    answer[i + 1] = used
    local amount = tonumber(ARGV[at + 1])
    if answer[1] == 0 and amount > 0 and used + amount > tonumber(ARGV[at + 2]) then answer[1] = i end
end
if answer[1] > 0 then return answer end
for i, key in ipairs(KEYS) do
    local at = i * 3
    local amount = tonumber(ARGV[at + 1])
    if amount > 0 then
        answer[i + 1] = answer[i + 1] + amount
        if ARGV[at] == '0' then
            hold(key, (own(key) or 0) + amount)
        else
            redis.call('INCRBY', key, ARGV[at + 1])
            redis.call('PEXPIRE', key, ARGV[at])
        end
    end
end
return answer
"""
)

# ARGV: process, ms a slot is held; then for each key: 0 for a gauge, amount.
GIVE_BACK = (
    _GAUGES
    + """
for i, key in ipairs(KEYS) do
    local at = i * 2 + 1
    if ARGV[at] == '0' then
        local count = own(key)
        if count then hold(key, count - tonumber(ARGV[at + 1])) end
    elseif redis.call('EXISTS', key) == 1 and redis.call('DECRBY', key, ARGV[at + 1]) < 0 then
        redis.call('SET', key, 0, 'KEEPTTL')
    end
end
return 0
"""
)

# ARGV: process, ms a slot is held, '1' to replace what Redis holds; then for each key: the slots that are really held.
# Without replacing, only a gauge that Redis has forgotten is declared again.
HEARTBEAT = (
    _GAUGES
    + """
for i, key in ipairs(KEYS) do
    local count = own(key)
    if ARGV[3] == '1' or not count then count = tonumber(ARGV[i + 3]) end
    hold(key, count)
end
return 0
"""
)
