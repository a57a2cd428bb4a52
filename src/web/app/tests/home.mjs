// A home with its own network, from which a browser comes out by a router: namespaces of this machine's.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Ours as the router sees us, of a range for measurements (RFC 2544). */
export const OURS = '198.18.77.1';
const OUTSIDE = '198.18.77.2';
const ROUTER = '10.77.0.1';
export const HOME = '10.77.0.2';

const run = (line, input) => execFileSync('sh', ['-ec', line], { input, stdio: ['pipe', 'pipe', 'pipe'], encoding: 'utf8' });

/** Why there can be none here, if so. */
export function homeless() {
  if (process.getuid() !== 0) return 'only root may make network namespaces';
  const probe = `relais-probe-${process.pid}`;
  try {
    run(`ip netns add ${probe} && ip netns exec ${probe} nft list ruleset`);
    return false;
  } catch (error) {
    return `no network namespaces with nftables here: ${error.stderr}`;
  } finally {
    try {
      run(`ip netns del ${probe}`);
    } catch {
      // It was never made.
    }
  }
}

export class Home {
  folder = mkdtempSync(join(tmpdir(), 'relais-home-'));
  name = Math.random().toString(36).slice(2, 8);
  home = `relais-home-${this.name}`;
  router = `relais-router-${this.name}`;

  /** `hides`: the router gives each connection an address of its own and a port at random; else it passes on what comes. */
  static build({ hides }) {
    const one = new Home();
    try {
      one.connect(hides);
    } catch (error) {
      one.close();
      throw error;
    }
    return one;
  }

  connect(hides) {
    const { home, router } = this;
    const far = `relais${this.name}`;
    run(`
      ip netns add ${home}
      ip netns add ${router}
      ip link add ${far} type veth peer name out0 netns ${router}
      ip link add eth0 netns ${home} type veth peer name in0 netns ${router}
      ip address add ${OURS}/24 dev ${far}
      ip link set ${far} up
      ip -n ${router} address add ${OUTSIDE}/24 dev out0
      ip -n ${router} address add ${ROUTER}/24 dev in0
      for link in lo out0 in0; do ip -n ${router} link set $link up; done
      ip -n ${home} address add ${HOME}/24 dev eth0
      for link in lo eth0; do ip -n ${home} link set $link up; done
      ip -n ${home} route add default via ${ROUTER}
      ip netns exec ${router} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
    `);
    if (hides) {
      const rules = 'table ip nat { chain out { type nat hook postrouting priority 100; oifname "out0" masquerade fully-random; }; }';
      run(`ip netns exec ${router} nft -f -`, rules);
    } else {
      run(`ip route add ${HOME}/32 via ${OUTSIDE}`);
    }
    this.browser = join(this.folder, 'chromium');
    writeFileSync(this.browser, `#!/bin/sh\nexec ip netns exec ${home} ${process.env.CHROMIUM ?? '/usr/bin/chromium'} "$@"\n`);
    chmodSync(this.browser, 0o755);
  }

  /** The machine on which Relais runs lets nothing in by UDP but answers. */
  shut() {
    run('nft -f -', `table inet relais { chain in { type filter hook input priority 0; ip saddr ${HOME} meta l4proto udp ct state new drop; }; }`);
  }

  close() {
    run(`ip netns del ${this.home} || true; ip netns del ${this.router} || true; nft delete table inet relais || true`);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
