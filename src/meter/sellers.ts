/**
 * Whose prices a provider of the policy file is sold at, best first, as the price sheet calls them. Azure's and a gateway's
 * own prices come first; where the sheet has none, they pass on those of the provider behind.
 */
export function sellersOf(
  name: string,
  type: 'openai' | 'azure' | 'openai-compatible' | 'loopback' | undefined,
): string[] {
  if (type === undefined || type === 'openai-compatible') return [name, 'openai']
  return type === 'azure' ? ['azure', 'openai'] : [type]
}
