"""The Lua that Redis runs: each script looks at all keys and changes all or none.

The leases of one window are a hash: how much each gateway process holds, used or not. A process says what it holds
(it is the only one who knows), so that saying it twice, or again after Redis lost its memory, does no harm. Redis adds
up what the others hold. A window's leases count until it has ended, whoever died; those of a gauge (calls in flight)
only while their process lives, which it shows with every script. Redis's own clock decides about that.

KEYS: the hash of living processes (`expiry in ms:number of the last script`), the sorted set of wanted leases (by
expiry in ms), then the leases. ARGV: process, number of this script, ms that a process lives without another one,
number of leases, then for each: ms to keep it (0: a gauge), what this process holds.
Each returns 1 when Redis knew the process, 0 when it did not, -1 when a later script was here before.
"""

from gateway.quotas.escrow import SLICE_OF_REMAINDER
from gateway.quotas.slices import WANTED_S

_PROCESS = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, number, lives_ms, leases = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local alive, known = {}, 0
local processes = redis.call('HGETALL', KEYS[1])
for i = 1, #processes, 2 do
    local expiry, last = string.match(processes[i + 1], '^(%d+):(%d+)$')
    if processes[i] == me then
        if tonumber(last) >= number then return {-1} end
        known = 1
    end
    if tonumber(expiry) > now then
        alive[processes[i]] = true
    elseif processes[i] ~= me then
        redis.call('HDEL', KEYS[1], processes[i])
    end
end
redis.call('HSET', KEYS[1], me, string.format('%.0f:%.0f', now + lives_ms, number))
redis.call('PEXPIRE', KEYS[1], lives_ms * 2)

local function is_gauge(i) return ARGV[3 + i * 2] == '0' end
local function others(i)
    local total, fields = 0, redis.call('HGETALL', KEYS[2 + i])
    for f = 1, #fields, 2 do
        if is_gauge(i) and fields[f] ~= me and not alive[fields[f]] then
            redis.call('HDEL', KEYS[2 + i], fields[f])
        elseif fields[f] ~= me then
            total = total + tonumber(fields[f + 1])
        end
    end
    return total
end
local function hold(i, amount)
    if amount > 0 then
        redis.call('HSET', KEYS[2 + i], me, string.format('%.0f', amount))
        redis.call('PEXPIRE', KEYS[2 + i], is_gauge(i) and lives_ms * 2 or ARGV[3 + i * 2])
    else
        redis.call('HDEL', KEYS[2 + i], me)
    end
end
"""

# Then of each lease: capacity, and how much more than needed would be welcome. Then the number of bids, and of each
# the number of its parts, and of each part: which lease, need. Grants bids in order, each all or none; what does not
# fit is marked wanted. Returns, after the flag, of each bid which lease refused it (0: none), then of each lease what
# this process holds now and what the others do.
LEASE = (
    _PROCESS
    + f"local WANTED_MS, SLICE = {WANTED_S * 1000:.0f}, {SLICE_OF_REMAINDER}"
    + """
local at = 4 + leases * 2
local own, out, capacity, short, answer = {}, {}, {}, {}, {known}
for i = 1, leases do
    own[i] = tonumber(ARGV[4 + i * 2])
    out[i] = others(i)
    capacity[i] = tonumber(ARGV[at + i * 2 - 1])
end
local next = at + leases * 2 + 2
for bid = 1, tonumber(ARGV[next - 1]) do
    local parts, tight = tonumber(ARGV[next]), 0
    for p = 1, parts do
        local i, need = tonumber(ARGV[next + p * 2 - 1]), tonumber(ARGV[next + p * 2])
        if tight == 0 and need > 0 and own[i] + out[i] + need > capacity[i] then tight = i end
    end
    for p = 1, parts do
        local i, need = tonumber(ARGV[next + p * 2 - 1]), tonumber(ARGV[next + p * 2])
        if tight == 0 then own[i] = own[i] + need end
    end
    if tight > 0 then
        short[tight] = true
        redis.call('ZADD', KEYS[2], now + WANTED_MS, KEYS[2 + tight])
        redis.call('PEXPIRE', KEYS[2], WANTED_MS)
    end
    answer[bid + 1] = tight
    next = next + parts * 2 + 1
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
for i = 1, leases do
    local spare = tonumber(ARGV[at + i * 2])
    if spare > 0 and not short[i] and not redis.call('ZSCORE', KEYS[2], KEYS[2 + i]) then
        own[i] = own[i] + math.max(0, math.min(spare, math.floor((capacity[i] - own[i] - out[i]) / SLICE)))
    end
    hold(i, own[i])
    answer[#answer + 1] = own[i]
    answer[#answer + 1] = out[i]
end
return answer
"""
)

# KEYS as above, without leases. ARGV: process. Returns whether Redis knows the process, then the leases that are wanted.
LOOK = """
return {redis.call('HEXISTS', KEYS[1], ARGV[1]), unpack(redis.call('ZRANGE', KEYS[2], 0, -1))}
"""

# Says what this process holds. Returns, after the flag, of each lease what the others hold.
DECLARE = (
    _PROCESS
    + """
local answer = {known}
for i = 1, leases do
    hold(i, tonumber(ARGV[4 + i * 2]))
    answer[i + 1] = others(i)
end
return answer
"""
)
