/** What the document says of all routes together. */
export const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'Parley',
    version: '1',
    description:
      'Sessions with realtime models, and media made ready for models. Times of the batch door are RFC 3339 in UTC, lengths are milliseconds, money is whole billionths of a US dollar. Lists of words may grow, and so may answers; unknown fields of requests are refused.',
  },
  security: [{ key: [] }],
}
