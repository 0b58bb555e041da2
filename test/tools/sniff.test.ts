import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sniff, tagLength } from '../../workers/tools/sniff.ts'

const head = (text: string) => Buffer.from(text.padEnd(64, '\0'), 'latin1')

test.each([
  ['RIFF\x00\x00\x00\x00WAVEfmt ', 'wav', 'wav'],
  ['RF64\xff\xff\xff\xffWAVEds64', 'wav', 'wav'],
  ['fLaC\0\0\0\x22', 'flac', 'flac'],
  ['OggS\0\x02', 'ogg', 'ogg'],
  ['\x1aE\xdf\xa3\x9f', 'webm', 'matroska'],
  ['\0\0\0\x20ftypisom', 'mp4', 'mov'],
  ['\0\0\0\x20ftypM4A ', 'm4a', 'mov'],
  ['\0\0\0\x08wide\0\0', 'mp4', 'mov'],
  ['FORM\0\0\0\0AIFFCOMM', 'aiff', 'aiff'],
  ['#!AMR\n', 'amr', 'amr'],
  ['\xff\xfb\x90\x64', 'mp3', 'mp3'],
  ['\xff\xf1\x50\x80', 'aac', 'aac'],
])('Q3 %j is taken for what its bytes say', (text, format, demuxer) => {
  expect(sniff(head(text))).toMatchObject({ format, demuxer })
})

test.each([
  ['\xff\xd8\xff\xe0', 'jpeg'],
  ['\x89PNG\r\n\x1a\n', 'png'],
  ['RIFF\0\0\0\0WEBPVP8 ', 'webp'],
  ['\0\0\0\x1cftypavif', 'avif'],
])('Q4 %j is a picture, which ffmpeg never sees', (text, format) => {
  expect(sniff(head(text))).toMatchObject({ kind: 'image', format, demuxer: null })
})

test.each([
  '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0',
  'ffconcat version 1.0\nfile /etc/passwd',
  '<?xml version="1.0"?><MPD>',
  '<svg xmlns="http://www.w3.org/2000/svg">',
  '\x7fELF\x02\x01\x01',
  'PK\x03\x04',
  '{"a": [4, 5]}',
  'just some text, ',
  'RIFF\0\0\0\0AVI LIST',
  '\xff\xff\xff\xff',
  '',
])('Q3 %j is not taken', (text) => {
  expect(sniff(Buffer.from(text, 'latin1'))).toBeNull()
})

test('Q3 the length of an ID3 tag is read from its own four bytes of seven bits', () => {
  expect(tagLength(Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 2, 1]))).toBe(10 + 257)
  expect(tagLength(Buffer.from([0x49, 0x44, 0x33, 4, 0, 0x10, 0, 0, 0, 1]))).toBe(21)
  expect(tagLength(head('fLaC'))).toBe(0)
})

test('Q3 any bytes at all are told or refused, never an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const found = sniff(bytes)
      expect(found === null || found.mime.includes('/')).toBe(true)
      expect(tagLength(bytes)).toBeGreaterThanOrEqual(0)
    }),
  )
})
