import ipaddr from 'ipaddr.js'

/** A CIDR range, parsed. */
export type AddressRange = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** Throws for text that is no CIDR range. */
export const addressRange = (cidr: string): AddressRange => ipaddr.parseCIDR(cidr)

/**
 * May the outbound fetcher speak to this address? Only public unicast ones, never by a list of those that are bad: new
 * special ranges appear, and each would be a hole until somebody lists it. `alsoAllowed` is what the operator of a locked
 * network opens. An IPv4 address in IPv6 clothes is judged as the IPv4 address it is.
 */
export function isReachable(address: string, alsoAllowed: readonly AddressRange[]): boolean {
  // A zone id names an interface of this host: no public address has one.
  if (address.includes('%') || !ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return parsed.range() === 'unicast' || alsoAllowed.some((range) => isWithin(parsed, range))
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, [base, bits]: AddressRange): boolean {
  if (address instanceof ipaddr.IPv4) return base instanceof ipaddr.IPv4 && address.match(base, bits)
  return base instanceof ipaddr.IPv6 && address.match(base, bits)
}

/** Are these two spellings of one address? */
export function isSameAddress(a: string, b: string): boolean {
  if (!ipaddr.isValid(a) || !ipaddr.isValid(b)) return false
  return ipaddr.process(a).toNormalizedString() === ipaddr.process(b).toNormalizedString()
}
