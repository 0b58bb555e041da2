/** Where `npm run talk` looks for Parley and its key when it is not told: where `npm start` puts them by default. */
export const TALKS_TO = { url: 'http://127.0.0.1:8080', keyFile: '.parley/demo-key' } as const
