--[[ A file is to go: from now on nobody can read or use it.
  ARGV     (2) id, what it takes: 'owner' (not while a job needs it), 'expiry' (only once it has expired)
  Returns  'gone' (now remove its bytes, then call forget), 'needed', 'none'
  Of a file that expires its tenant is told, once. ]]
local id, by = ARGV[2], ARGV[3]
local status = statusOf(id)
if not status then return 'none' end
if status == 'removing' then return by == 'expiry' and 'gone' or 'none' end
if by == 'expiry' and tonumber(redis.call('HGET', fileKey(id), 'expiresAt')) > now then return 'needed' end
if by == 'owner' and neededUntil(id) > 0 then return 'needed' end
condemn(id)
if by == 'expiry' and status == 'ready' then
  -- Told by whoever tells what becomes of jobs, in the same form.
  redis.call('ZADD', KEYS[1] .. ':jobs:news', whole(now), string.format(
    '{"id":"msg_%s_1","type":"file.expired","at":%s,"job":"%s","seq":1,"webhook":null,"metadata":{}}',
    string.sub(id, 6), whole(now), id))
end
return 'gone'
