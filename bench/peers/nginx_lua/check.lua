-- The forward-auth check in nginx: SHA-256 of the token, one look-up, state, expiry, ten prefixes with their
-- methods, one use counted, and the facts on the key in X-Key-* headers. Written to be fast: all of it is
-- compiled by LuaJIT, and only the digest and the key's id are made into strings.
local ffi = require 'ffi'
require 'resty.core'

-- Not the one-shot SHA256(): OpenSSL 3 looks the algorithm up anew at each call of it.
ffi.cdef [[
int SHA256_Init(void *context);
int SHA256_Update(void *context, const char *data, size_t length);
int SHA256_Final(unsigned char *digest, void *context);
int strncmp(const char *one, const char *other, size_t length);
typedef struct { double expires_at; uint16_t policy; uint8_t state; } keystead_record;
]]
local C, cast, text = ffi.C, ffi.cast, ffi.string
local keys, uses = ngx.shared.keys, ngx.shared.uses
local context, digest = ffi.new 'uint32_t[28]', ffi.new 'unsigned char[32]'
local characters, record_type = ffi.typeof 'const char *', ffi.typeof 'const keystead_record *'
local RECORD_BYTES = ffi.sizeof 'keystead_record'
local NEVER = 1 / 0
local SCHEME = 'Bearer '

local ACTIVE = 1
local policies = {
    [1] = {
        owner = 'app:app_0000000000000000000000',
        organization = 'org_0000000000000000000000',
        type = 'secret',
        external_id = '-',
        scopes = '-',
        environment = 'live',
        constraints = {},
    },
}
for i = 0, 9 do
    local prefix = '/v1/resource' .. i .. '/'
    policies[1].constraints[i + 1] = { prefix = prefix, length = #prefix, methods = { GET = true, POST = true } }
end

local function digest_of(start, length)
    C.SHA256_Init(context)
    C.SHA256_Update(context, start, length)
    C.SHA256_Final(digest, context)
    return text(digest, 32)
end

local function allowed(policy, method, path)
    local constraints = policy.constraints
    for i = 1, #constraints do
        local it = constraints[i]
        if it.methods[method] and C.strncmp(path, it.prefix, it.length) == 0 then
            return true
        end
    end
    return false
end

local check = {}

-- Fill the dictionary with the tokens of a file, one a line.
function check.load(path)
    local record = ffi.new('keystead_record', NEVER, 1, ACTIVE)
    local packed = text(cast(characters, record), RECORD_BYTES)
    local number = 0
    for token in io.lines(path) do
        number = number + 1
        local id = string.format('key_%022d', number)
        local ok, problem = keys:safe_set(digest_of(cast(characters, token), #token), packed .. id)
        assert(ok, problem)
    end
end

function check.answer()
    local var = ngx.var
    local header = var.http_authorization
    if not header or C.strncmp(header, SCHEME, #SCHEME) ~= 0 then
        return ngx.exit(401)
    end
    local found = keys:get(digest_of(cast(characters, header) + #SCHEME, #header - #SCHEME))
    if not found then
        return ngx.exit(401)
    end
    local record = cast(record_type, found)
    if record.state ~= ACTIVE or ngx.now() >= record.expires_at then
        return ngx.exit(401)
    end
    local policy = policies[record.policy]
    local method, path = var.http_x_forwarded_method, var.http_x_forwarded_uri
    if not method or not path or not allowed(policy, method, path) then
        return ngx.exit(403)
    end
    local id = found:sub(RECORD_BYTES + 1)
    uses:incr(id, 1, 0)
    local answer = ngx.header
    answer['X-Key-Id'] = id
    answer['X-Key-Owner'] = policy.owner
    answer['X-Key-Type'] = policy.type
    answer['X-Key-Organization'] = policy.organization
    answer['X-Key-External-Id'] = policy.external_id
    answer['X-Key-Scopes'] = policy.scopes
    answer['X-Key-Environment'] = policy.environment
    answer['Content-Length'] = 0
    return ngx.exit(200)
end

return check
