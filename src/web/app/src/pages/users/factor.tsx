// What an authenticator is given: as a picture for its camera, and as text.
import { encode } from 'uqr';
import { useMemo } from 'preact/hooks';
import { b } from '../../i18n/bench';

const BORDER = 2;

export function Factor({ address }: { address: string }) {
  const secret = new URL(address).searchParams.get('secret') ?? '';
  return (
    <div class="factor">
      <p>{b('users.factor.show')}</p>
      <Code text={address} />
      <dl class="facts">
        <div>
          <dt>{b('users.factor.secret')}</dt>
          <dd><code class="secret">{secret.replace(/(.{4})(?=.)/g, '$1 ')}</code></dd>
        </div>
        <div>
          <dt>{b('users.factor.address')}</dt>
          <dd><code class="address">{address}</code></dd>
        </div>
      </dl>
    </div>
  );
}

/** Dark on light in either appearance: cameras want it so. */
function Code({ text }: { text: string }) {
  const { size, path } = useMemo(() => {
    const { data, size } = encode(text, { ecc: 'M', border: BORDER });
    const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
    return { size, path };
  }, [text]);
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={b('users.factor.qr')} shape-rendering="crispEdges">
      <rect class="paper" width={size} height={size} />
      <path class="ink" d={path} />
    </svg>
  );
}
