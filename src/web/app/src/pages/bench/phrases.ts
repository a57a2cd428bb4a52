// What the editor says by itself, in French; its own language is English.
import { lang } from '../../i18n';

const french: Record<string, string> = {
  'Find': 'Chercher',
  'Replace': 'Remplacer',
  'next': 'suivant',
  'previous': 'précédent',
  'all': 'tous',
  'match case': 'respecter la casse',
  'by word': 'mot entier',
  'regexp': 'expression régulière',
  'replace': 'remplacer',
  'replace all': 'tout remplacer',
  'close': 'fermer',
  'current match': 'résultat courant',
  'replaced $ matches': '$ remplacements',
  'replaced match on line $': 'remplacé à la ligne $',
  'on line': 'à la ligne',
  'Go to line': 'Aller à la ligne',
  'go': 'aller',
  'Completions': 'Propositions',
  'Diagnostics': 'Constats',
  'No diagnostics': 'Aucun constat',
  '$ unchanged lines': '$ lignes inchangées',
};

export const phrases = (): Record<string, string> => (lang.value === 'fr' ? french : {});
