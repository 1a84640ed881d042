/** The files of the machine itself: service, firewall, renewal of certificates. */
import { frontGroups, type Plan, SERVICE, SERVICE_USER, SOCKET_PATH } from './plan.ts'

/** Homes are closed to the service, unless it lives in one. */
const isHome = (path: string): boolean => /^\/(home|root|run\/user)(\/|$)/.test(path)

/** systemd's own quotation: a path with spaces or percent signs stays one path. */
const word = (path: string): string => `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`

/** A user of its own that may write its state and nothing else, and talk to nobody it does not have to talk to. */
export function systemdUnit({ kind, domain, socket, site, state, program, port, acme }: Plan): string {
  const tcp = socket === undefined || site.kind === 'upstream'
  const low = socket === undefined && (port < 1024 || acme) ? 'CAP_NET_BIND_SERVICE' : ''
  return [
    '# Written by `sotto gateway init`.',
    '[Unit]',
    `Description=Gateway behind ${domain}`,
    'After=network.target',
    '',
    '[Service]',
    `User=${SERVICE_USER}`,
    `Group=${frontGroups[kind]}`,
    `ExecStart=${word(`${program}/scripts/sotto`)} gateway run --state ${word(state)}`,
    'Restart=always',
    'RestartSec=2',
    'TimeoutStopSec=15',
    'LimitNOFILE=65536',
    'UMask=0077',
    ...(socket === SOCKET_PATH ? ['RuntimeDirectory=sotto', 'RuntimeDirectoryMode=0750'] : []),
    '',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    `ReadWritePaths=${word(state)}`,
    `ProtectHome=${isHome(state) || isHome(program) ? 'read-only' : 'yes'}`,
    'PrivateTmp=yes',
    'PrivateDevices=yes',
    'ProtectClock=yes',
    'ProtectHostname=yes',
    'ProtectControlGroups=yes',
    'ProtectKernelLogs=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelTunables=yes',
    'ProtectProc=invisible',
    'RemoveIPC=yes',
    'LockPersonality=yes',
    'RestrictNamespaces=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    `RestrictAddressFamilies=AF_UNIX${tcp ? ' AF_INET AF_INET6' : ''}`,
    `CapabilityBoundingSet=${low}`,
    ...(low === '' ? [] : [`AmbientCapabilities=${low}`]),
    'SystemCallArchitectures=native',
    'SystemCallFilter=@system-service',
    'SystemCallFilter=~@privileged @obsolete',
    'SystemCallErrorNumber=EPERM',
    '# Node compiles while it runs, so memory may not be locked against that.',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n')
}

/**
 * How many connections a range of addresses may open in a second, and have open. It is the whole port's, the website's as much
 * as ours: a limit on our paths alone would give them away. A carrier's network of thousands behind a /24 stays below; the
 * kernel's sets are bounded, and where one is full nobody more is counted.
 */
export function nftablesText({ port }: Plan): string {
  const fresh = `        tcp dport ${port} ct state new`
  const bucket = (set: string, range: string, rate: number): string =>
    `${fresh} update @${set} { ${range} limit rate over ${rate}/second burst ${rate * 10} packets } drop`
  const open = (set: string, range: string, most: number): string =>
    `${fresh} add @${set} { ${range} ct count over ${most} } drop`
  const set = (name: string, type: string, timeout: boolean): string[] => [
    `    set ${name} {`,
    `        type ${type}`,
    '        size 65535',
    ...(timeout ? ['        flags dynamic,timeout', '        timeout 1m'] : ['        flags dynamic']),
    '    }',
  ]
  const [range4, range6, site6] = [
    'ip saddr and 255.255.255.0',
    'ip6 saddr and ffff:ffff:ffff:ffff::',
    'ip6 saddr and ffff:ffff:ffff::',
  ]
  return [
    '#!/usr/sbin/nft -f',
    '# Written by `sotto gateway init`. Try it with `nft -f`; include it from /etc/nftables.conf to keep it.',
    '# Over the whole website, for each /24 of IPv4, /64 and /48 of IPv6: a token bucket of new connections, and a bound on',
    '# those open at once. Under attack lower the numbers; members wait and come back.',
    `table inet ${SERVICE.replace('-', '_')}`,
    `delete table inet ${SERVICE.replace('-', '_')}`,
    `table inet ${SERVICE.replace('-', '_')} {`,
    ...set('ranges4', 'ipv4_addr', true),
    ...set('ranges6', 'ipv6_addr', true),
    ...set('sites6', 'ipv6_addr', true),
    ...set('open4', 'ipv4_addr', false),
    ...set('open6', 'ipv6_addr', false),
    '    chain connections {',
    '        type filter hook input priority filter - 5; policy accept;',
    '        iif lo accept',
    bucket('ranges4', range4, 50),
    bucket('ranges6', range6, 50),
    bucket('sites6', site6, 200),
    open('open4', range4, 4_000),
    open('open6', site6, 4_000),
    '    }',
    '}',
    '',
  ].join('\n')
}

/** Runs after certbot has renewed: the web server reads the new certificate, or the gateway gets its copy. */
export function renewalHook({ kind, domain, state, tls }: Plan): string {
  const copies = [
    `[ "$(basename "$RENEWED_LINEAGE")" = ${shell(domain)} ] || exit 0`,
    `install -o ${SERVICE_USER} -g ${SERVICE_USER} -m 0600 "$RENEWED_LINEAGE/privkey.pem" ${shell(tls?.key ?? `${state}/tls.key`)}`,
    `install -o ${SERVICE_USER} -g ${SERVICE_USER} -m 0644 "$RENEWED_LINEAGE/fullchain.pem" ${shell(tls?.certificate ?? `${state}/certificate.pem`)}`,
    `systemctl try-restart ${SERVICE}`,
  ]
  return [
    '#!/bin/sh',
    '# Written by `sotto gateway init`; certbot runs it after each renewal.',
    'set -eu',
    ...(kind === 'nginx' ? ['systemctl reload nginx'] : copies),
    '',
  ].join('\n')
}

const shell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
