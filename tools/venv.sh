# Sourced by quickstart.sh and test.sh: goes to the repository root, makes its .venv and installs into it what is missing.
#
#   PYTHON=python3.12   the interpreter to use (default: the first of several names that is 3.10 or newer)
#   VENV=DIR            where the environment goes (default: .venv at the repository root)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
VENV=${VENV:-$root/.venv}

step() { printf '\n==> %s\n' "$*"; }
die() { printf '\nerror: %s\n' "$*" >&2; exit 1; }

# A name on the PATH proves nothing (version managers leave stubs there), so each candidate is run.
find_python() {
    local candidate version seen=""
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10 python}; do
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
            echo "$candidate"
            return
        fi
        seen="$seen $candidate is $version;"
    done
    die "Python 3.10 or newer is needed and was not found (${seen:-none of them runs;} tried: ${PYTHON:-python3 and python3.10 to python3.14}). Install one, or name it: PYTHON=/path/to/python3.12 bash $0"
}

# Which torch fits: cuda (an NVIDIA driver answers), cpu (Linux without one, where the default package brings gigabytes
# of CUDA libraries) or default (macOS and whatever else has a single build).
torch_build() {
    if nvidia-smi -L >/dev/null 2>&1; then echo cuda
    elif [ "$(uname -s)" = Linux ]; then echo cpu
    else echo default
    fi
}

pip() { "$VENV/bin/python" -m pip --disable-pip-version-check "$@"; }

install_torch() {
    local index=https://download.pytorch.org/whl/cpu
    local offered extra=()
    # A configured index or wheel folder may offer the CPU build already; otherwise ask PyTorch's own, and if that does
    # not answer take the default build: larger, and it runs on the CPU as well.
    if [ "$1" = cpu ]; then
        offered=$(pip install --dry-run --no-deps --ignore-installed -c tools/constraints.txt torch 2>/dev/null) || true
        case $offered in
        *+cpu*) ;;
        *)
            if "$VENV/bin/python" -c "import urllib.request as u; u.urlopen('$index/torch/', timeout=10)" 2>/dev/null; then
                extra=(--extra-index-url "$index")
            else
                echo "    PyTorch's index of CPU builds does not answer; the default build (with CUDA libraries) is used"
            fi
            ;;
        esac
    fi
    pip install -qq -c tools/constraints.txt ${extra[@]+"${extra[@]}"} setuptools torch
}

# setup_venv EXTRA [EXTRA...]: an environment with the package (editable) and these extras. A stamp of everything it
# was made from lets the next call return at once; it is written last, so an interrupted set-up starts again.
setup_venv() {
    local extras build python want old stamp
    extras=$(IFS=,; echo "$*")
    stamp="$VENV/.caffe-compat-$extras"
    build=$(torch_build)
    if ! "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        [ ! -e "$VENV" ] || [ -e "$VENV/pyvenv.cfg" ] ||
            die "$VENV exists and is not a virtual environment; move it away, or set VENV"
        python=$(find_python) || exit 1
        step "Making $VENV with $("$python" --version 2>&1)"
        "$python" -m venv --clear "$VENV" ||
            die "$python cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv. Or name another: PYTHON=/path/to/python3.12 bash $0"
    fi
    want=$("$VENV/bin/python" -c 'import sys; print(sys.version)'; echo "$build $root"; cat setup.py tools/constraints.txt)
    [ "$want" != "$(cat "$stamp" 2>/dev/null)" ] || return 0
    for old in "$VENV"/.caffe-compat-*; do # other extras, installed from something else
        [ "$want" = "$(cat "$old" 2>/dev/null)" ] || rm -f "$old"
    done
    step "Installing torch ($build build) and caffe_compat [$extras]; a few hundred megabytes the first time"
    install_torch "$build" ||
        die "torch could not be installed: the lines above say why. Is a package registry reachable (pip config list)?"
    pip install -qq --no-build-isolation -c tools/constraints.txt -e ".[$extras]" ||
        die "the package could not be installed: the lines above say why"
    if [ "$build" = cuda ] && ! "$VENV/bin/python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
        echo "    note: nvidia-smi lists a GPU, but the torch that pip found cannot use it; training will run on the CPU"
    fi
    echo "$want" >"$stamp"
}
