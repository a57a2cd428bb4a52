// The phone in the page: whether it is one, what rings, the keys, and the sound.
import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { t } from '../../i18n';
import * as phone from '../../phone';
import { chooseMicrophone, chooseSpeaker, chosen, devices } from '../../phone/sound';
import { Button, Card, Dialog } from '../../ui/parts';
import { hand } from './own';
import * as steer from './steer';

/** While the desk is shown: this machine is a phone again, and is as mute as the server has it. */
export function usePhone() {
  useEffect(() => {
    if (phone.wanted()) void phone.switchOn();
  }, []);
  const muted = useComputed(() => Boolean(hand.value && steer.ownLeg(hand.value)?.muted));
  useSignalEffect(() => {
    phone.mute(muted.value);
  });
}

export function Phone() {
  const sound = useSignal(false);
  const on = phone.status.value !== 'off';
  return (
    <Card title={t('phone.title')} class="softphone" action={<span class={`state ${tone()}`}>{t(`phone.${phone.status.value}`)}</span>}>
      <div class="body">
        {phone.problem.value && (
          <p class="banner" role="alert">
            {t(`phone.problem.${phone.problem.value}`)}
          </p>
        )}
        {!on && <p class="quiet-text">{t('phone.hint')}</p>}
        {on && <Level />}
        <div class="buttons">
          {on ? (
            <>
              <Button small icon="sound" onDo={() => {
                sound.value = true;
              }}>
                {t('phone.sound')}
              </Button>
              <Button small kind="quiet" disabled={phone.busy.value} onDo={() => phone.switchOff()}>
                {t('phone.switchOff')}
              </Button>
            </>
          ) : (
            <Button small icon="phone" onDo={phone.switchOn}>
              {t('phone.switchOn')}
            </Button>
          )}
        </div>
      </div>
      {sound.value && (
        <Dialog title={t('phone.sound')} onClose={() => {
          sound.value = false;
        }}>
          <Sound />
        </Dialog>
      )}
    </Card>
  );
}

const tone = () => ({ off: 'logged_out', starting: 'reserved', connecting: 'not_responding', ready: 'available' })[phone.status.value];

function Level() {
  return <meter class="level" min={0} max={1} value={phone.level.value} aria-label={t('phone.level')} title={t('phone.level')} />;
}

function Sound() {
  const found = useSignal<{ microphones: MediaDeviceInfo[]; speakers: MediaDeviceInfo[] }>({ microphones: [], speakers: [] });
  useEffect(() => {
    const look = () =>
      void devices().then((all) => {
        found.value = all;
      });
    look();
    navigator.mediaDevices.addEventListener('devicechange', look);
    return () => navigator.mediaDevices.removeEventListener('devicechange', look);
  }, []);
  return (
    <div class="body sound-choice">
      <Choice label={t('phone.microphone')} devices={found.value.microphones} value={chosen.microphone()} onChoose={(id) => {
        chooseMicrophone(id);
        void phone.useMicrophone();
      }} />
      <Level />
      <Choice label={t('phone.speaker')} devices={found.value.speakers} value={chosen.speaker()} onChoose={(id) => {
        chooseSpeaker(id);
        void phone.useSpeaker();
      }} />
    </div>
  );
}

interface ChoiceProps {
  label: string;
  devices: MediaDeviceInfo[];
  value: string;
  onChoose: (id: string) => void;
}

function Choice({ label, devices: all, value, onChoose }: ChoiceProps) {
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        <option value="">{t('phone.default')}</option>
        {all.map((device) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What rings: here, where it can be answered, or on the phone on the desk, which some can be asked to. */
export function Ringing() {
  const here = phone.ringing.value;
  const asks = here || !steer.mustBeLifted.value;
  return (
    <div class="prompt" role="alert">
      <p>{here ? t('desk.ringing.here') : asks ? t('desk.ringing') : t('desk.ringing.lift')}</p>
      {asks && (
        <div class="buttons">
          <Button icon="phone" kind="main" shortcut="r" onDo={answer}>
            {t('phone.answer')}
          </Button>
          {here && (
            <Button icon="hangUp" onDo={() => phone.decline()}>
              {t('phone.decline')}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

/** In this page where it rings here, else at the phone on the desk. */
export const answer = async () => (phone.ringing.value ? phone.answer() : steer.answer());
