// Why something was not done, where it stands beside the form that asked for it.
import { Refused, type Schemas } from '../api/client';
import { t } from '../i18n';

export interface Fault {
  message: string;
  findings: Schemas['Finding'][];
}

export const faultOf = (error: unknown): Fault =>
  error instanceof Refused ? { message: error.message, findings: error.findings } : { message: t('error.unreachable'), findings: [] };
