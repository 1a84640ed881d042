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
 * New connections a range of addresses may open. It is the whole port's, the website's as much as ours: a limit on our
 * paths alone would give them away.
 */
export function nftablesText({ port }: Plan): string {
  const bucket = (set: string, range: string): string =>
    `        tcp dport ${port} ct state new update @${set} { ${range} limit rate over 50/second burst 500 packets } drop`
  const set = (name: string, type: string): string[] => [
    `    set ${name} {`,
    `        type ${type}`,
    '        size 65535',
    '        flags dynamic,timeout',
    '        timeout 1m',
    '    }',
  ]
  return [
    '#!/usr/sbin/nft -f',
    '# Written by `sotto gateway init`. Try it with `nft -f`; include it from /etc/nftables.conf to keep it.',
    '# A token bucket of new connections for each /24 of IPv4 and /64 of IPv6, over the whole website.',
    `table inet ${SERVICE.replace('-', '_')}`,
    `delete table inet ${SERVICE.replace('-', '_')}`,
    `table inet ${SERVICE.replace('-', '_')} {`,
    ...set('ranges4', 'ipv4_addr'),
    ...set('ranges6', 'ipv6_addr'),
    '    chain connections {',
    '        type filter hook input priority filter - 5; policy accept;',
    '        iif lo accept',
    bucket('ranges4', 'ip saddr and 255.255.255.0'),
    bucket('ranges6', 'ip6 saddr and ffff:ffff:ffff:ffff::'),
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
