--[[ Takes over a session whose node is gone, for the one caller that holds its resume token.
  KEYS[1]  the session's record    HASH  owner, resume (SHA-256 of the token), phase, epoch, …
  ARGV     expected owner, SHA-256 of the token shown, new owner, SHA-256 of the next token
  Returns  1 claimed (resume token rotated, epoch + 1), 0 not: ended, owned by another, or the token is not the current one
  A script because two nodes may be asked for the same session at once. ]]
local record = redis.call('HMGET', KEYS[1], 'owner', 'resume', 'phase')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] or record[3] == 'ended' then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[3], 'resume', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
return 1
