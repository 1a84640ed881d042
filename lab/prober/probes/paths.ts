/** Where templates live, beside it, and by every detour. */
import type { Probe } from '../probe.ts'
import { head, http1, withBody } from '../probe.ts'
import { drawn, features, messages, picture, snapshot, sync, unknownToken, uploads } from './places.ts'

const gets = [
  ...['/', '/index.html', '/about.html', '/nothing', '/photos', '/photos/', '/photos/index.html', '/articles', '/api'],
  ...[
    '/api/',
    '/api/features',
    '/api/features/',
    '/api/support/',
    '/api/support/v1/status',
    '/404.html',
    '/.answers.yaml',
  ],
  ...[
    '/.git/config',
    '/robots.txt',
    '/favicon.ico',
    '/nginx_status',
    '/server-status',
    '/@decoy',
    '/photos/.answers.yaml',
  ],
  ...[
    features,
    `${features}?`,
    `${features}?h=`,
    `${features}?h=${unknownToken}`,
    `${features}?h=${unknownToken}&t=abcdef`,
  ],
  ...[`${features}?h=${unknownToken}&t=abcdef&context=AAAA`, `${features}?t=abcdef&h=${unknownToken}&context=AAAA`],
  ...[
    `${features}?H=${unknownToken}`,
    `${features}?h=${unknownToken.toUpperCase()}`,
    `${features}?h=${unknownToken}%00`,
  ],
  ...[
    `${features}?h[]=${unknownToken}`,
    `${features};h=${unknownToken}`,
    `${features}#${unknownToken}`,
    `${features}/`,
  ],
  ...[
    `${features}.bak`,
    `${features}~`,
    '/api/features/desktop',
    '/api/features/mobile.json',
    '/api/features/DESKTOP.json',
  ],
  ...[
    '/API/features/desktop.json',
    '//api/features/desktop.json',
    '/api//features/desktop.json',
    '/api/./features/desktop.json',
  ],
  ...[
    '/api/x/../features/desktop.json',
    '/api/features/x/../desktop.json',
    '/api/features/desktop.json/..',
    '/api/%66eatures/desktop.json',
  ],
  ...['/api/features/desktop%2ejson', '/api/features%2fdesktop.json', '/api/features/%2e%2e/features/desktop.json'],
  ...[
    '/api/features/%252e%252e/desktop.json',
    '/api\\features\\desktop.json',
    '/api/features/desktop.json%00',
    '/api/features/%',
  ],
  ...[
    '/api/features/%zz',
    '/api/features/%c0%ae%c0%ae/',
    '/api/features/%ff',
    '/api/features/d\xe9sktop.json',
    '/../api/features/desktop.json',
  ],
  ...[
    '/api/features/../../../../etc/passwd',
    '/photos/..%2f..%2fetc/passwd',
    '/photos/%2e%2e/index.html',
    '/photos/../api/features/desktop.json',
  ],
  ...[
    '/photos/harbour/../../about.html',
    '/photos/harbour',
    '/photos/harbour/',
    drawn,
    `${drawn}?fit=max&w=640&s=${unknownToken}`,
  ],
  ...[
    `${drawn}?fit=max&w=640&s=${unknownToken.slice(1)}`,
    `${drawn}?s=${unknownToken}&w=640&fit=max`,
    '/photos/harbour/IMG_12345.png',
  ],
  ...[
    '/photos/nowhere/IMG_1234.png',
    picture,
    `${picture}?fit=max&w=640&s=${unknownToken}`,
    '/photos/%68arbour/DSC04410.png',
  ],
  ...[
    snapshot,
    `${snapshot}?h=${unknownToken}`,
    'https://localhost/api/features/desktop.json',
    'http://other.example/api/features/desktop.json',
  ],
  ...[
    'https://localhost',
    'localhost/api/features/desktop.json',
    'api/features/desktop.json',
    '?',
    '*',
    '/?/api/features/desktop.json',
  ],
]

const posts = [
  ...[
    messages,
    `${messages}?t=abcdefg`,
    `${messages}/`,
    `${messages}x`,
    sync,
    `${sync}?t=abcdefg&t=b`,
    '/api/support/v1/attachments?t=abcdefg',
  ],
  ...[
    '/api/support/v2/conversations/messages',
    '/api/support/v1/',
    '/api/support/v1/../v1/conversations/sync',
    '/api/support/',
  ],
  ...[
    `${uploads}?s=${unknownToken}`,
    `${uploads}?s=${unknownToken}&s=${unknownToken}`,
    `${uploads}/?s=${unknownToken}`,
  ],
  ...[
    `/photos/originals?s=${unknownToken}`,
    `/photos/other?s=${unknownToken}`,
    drawn,
    '/photos/',
    '/',
    '/collect',
    '/graphql',
  ],
]

export const pathProbes: readonly Probe[] = [
  ...gets.map((path) => http1('path', `GET ${path}`, head('GET', path))),
  ...posts.map((path) =>
    http1('path', `POST ${path}`, withBody('POST', path, '{"a":1}', ['Content-Type: application/json'])),
  ),
]
