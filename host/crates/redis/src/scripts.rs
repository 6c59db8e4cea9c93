//! What Redis does in one step: scripts, each over keys of one stream, so that a cluster runs them too.

use redis::Script;

/// Takes a name in a group, or says that it is still used. The members are a hash: name → "token until", by the clock of
/// Redis.
///
/// `KEYS` members. `ARGV` name, token, milliseconds for which it is kept.
/// Answers 1 if the name is ours and 0 if not, how many names are used now, and what is noted for this one.
const HOLD: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function until_of(noted) return tonumber(string.match(noted, ' (%d+)$')) or 0 end
local noted = redis.call('HGET', KEYS[1], ARGV[1])
local ours = not noted or until_of(noted) < now or string.match(noted, '^%S+') == ARGV[2]
if ours then
  noted = ARGV[2] .. ' ' .. string.format('%.0f', now + ARGV[3])
  redis.call('HSET', KEYS[1], ARGV[1], noted)
end
redis.call('PEXPIRE', KEYS[1], 30 * 86400000)
local used = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if until_of(all[i + 1]) >= now then used = used + 1
  elseif until_of(all[i + 1]) + 7 * 86400000 < now then redis.call('HDEL', KEYS[1], all[i]) end
end
return {ours and 1 or 0, used, noted}
";

/// Says of entries that they are in work, so that nobody takes them. Makes those pending again that are not any more, because
/// their consumer was deleted.
///
/// `KEYS` stream. `ARGV` group, consumer, ids.
/// Answers the ids that another consumer has, those made pending again, and those that are not in the stream any more.
const RENEW: &str = r"
local known = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if known.err then return known end
local taken, restored, lost = {}, {}, {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)
  if #pending == 0 then
    local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'FORCE', 'JUSTID')
    if #claimed == 0 then lost[#lost + 1] = id else restored[#restored + 1] = id end
  elseif pending[1][2] == ARGV[2] then redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')
  else taken[#taken + 1] = id end
end
return {taken, restored, lost}
";

/// Leaves a group: frees the name, lets others have at once what is still pending, and deletes the consumer if nothing is.
///
/// `KEYS` stream, members. `ARGV` group, name, token, milliseconds of idleness after which others claim.
/// Answers how many entries are pending, or -1 if the name is not ours.
const LEAVE: &str = r"
local noted = redis.call('HGET', KEYS[2], ARGV[2])
if noted and string.match(noted, '^%S+') ~= ARGV[3] then return -1 end
redis.call('HDEL', KEYS[2], ARGV[2])
local left, from = 0, '-'
while true do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], from, '+', 500, ARGV[2])
  if #pending == 0 then break end
  for _, entry in ipairs(pending) do
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry[1], 'IDLE', ARGV[4], 'JUSTID')
    from = '(' .. entry[1]
  end
  left = left + #pending
end
if left == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end
return left
";

/// What is known of a stream and a group, without the entries that `XINFO STREAM` answers in full.
///
/// `KEYS` stream. `ARGV` group.
/// Answers of the stream: length, last id, entries added, first id; and of the group: entries pending, last id delivered,
/// entries read, lag. Less where one is missing; -1 where Redis does not know.
const LOOK: &str = r"
local function named(list)
  local found = {}
  for i = 1, #list, 2 do found[list[i]] = list[i + 1] end
  return found
end
local stream = redis.pcall('XINFO', 'STREAM', KEYS[1])
if stream.err then return {} end
stream = named(stream)
local first = stream['first-entry']
local answer = {stream['length'], stream['last-generated-id'], stream['entries-added'] or -1, first and first[1] or ''}
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  group = named(group)
  if group['name'] == ARGV[1] then
    answer[5], answer[6] = group['pending'], group['last-delivered-id']
    answer[7], answer[8] = group['entries-read'] or -1, group['lag'] or -1
  end
end
return answer
";

/// All scripts.
pub(super) struct Scripts {
    pub(super) hold: Script,
    pub(super) renew: Script,
    pub(super) leave: Script,
    pub(super) look: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self { hold: Script::new(HOLD), renew: Script::new(RENEW), leave: Script::new(LEAVE), look: Script::new(LOOK) }
    }
}

/// The key of a group's members. The braces put it beside its stream in a cluster.
pub(super) fn members(stream: &str, group: &str) -> String {
    format!("gristmill:{{{stream}}}:{group}:members")
}
