--[[ Makes a batch, or finds the one that the same request has made before.
  ARGV     (2) id, head (JSON), idempotency key, fingerprint, keep (ms)
  Returns  { 'created' | 'replayed', record } or { 'mismatch' }
  A script because of a hundred equal requests one makes the batch. ]]
local id, head, idem, fingerprint, keep = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local idemKey = KEYS[1] .. ':idem:' .. idem
local known = redis.call('GET', idemKey)
if known then
  local print, first = string.match(known, '^(%S+) (%S+)$')
  if print ~= fingerprint then return { 'mismatch' } end
  local record = recordOf(first)
  if record then return { first == id and 'created' or 'replayed', record } end
end
redis.call('SET', idemKey, fingerprint .. ' ' .. id, 'PX', keep)
redis.call('HSET', recordKey(id), 'head', head, 'status', 'validating', 'cancel', 0, 'token', '', 'line', 1, 'offset', 0)
redis.call('ZADD', BATCHES, 0, id)
redis.call('ZADD', OPEN, whole(now), id)
return { 'created', recordOf(id) }
