# shellcheck shell=bash
# What the tests need of Python, from its package index, in one folder: those who judge what is written
# here (bills of materials, JSON by its schema, the configuration of CircleCI, the template of
# CloudFormation), moto, which plays S3 and other services of AWS, and the CLI of AWS. moto needs Flask to
# be a server; its own extra `server` would bring three times as much.

# The number in the folder's name counts up when the packages change.
python_folder=$cache/python-1
python_packages=(
  'cyclonedx-python-lib[json-validation]==11.12.0' 'check-jsonschema==0.39.0' 'cfn-lint==1.58.0'
  'moto[s3,cloudformation]==5.2.5' 'flask>=3,<4' 'flask-cors>=5' 'awscli==1.46.3'
)

have_python_packages() {
  "$python_folder/bin/python" -c \
    'import awscli, cfnlint, check_jsonschema, cyclonedx, moto.server, packageurl' >/dev/null 2>&1
}
have_judges() { [[ -n ${TEST_PYTHON:-} && -n ${TEST_S3_ENDPOINT:-} ]] || have_python_packages; }
have_venv() { have_judges || python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

# export_judges: sets TEST_PYTHON to the Python that has them, if they are there.
export_judges() {
  ! have_python_packages || export TEST_PYTHON=${TEST_PYTHON:-$python_folder/bin/python}
}

fetch_judges() {
  local work started=$SECONDS
  note "Fetching Python's libraries (some 500 MB with what they need) into $python_folder"
  work=$(new_cache_folder) || return 1
  if python3 -m venv "$work/venv" >"$work/log" 2>&1 &&
    "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
      "${python_packages[@]}" >>"$work/log" 2>&1 </dev/null; then
    have_python_packages || rm -rf "$python_folder"
    mv -T "$work/venv" "$python_folder" 2>/dev/null || true
    note "Fetched it in $((SECONDS - started)) s."
  else
    error "They could not be fetched. The last lines of the attempt:"
    tail -n 15 "$work/log" >&2
    note "Check that pip reaches its package index, or set TEST_PYTHON to a Python that has" \
      "${python_packages[*]}, and TEST_S3_ENDPOINT to an S3 server."
  fi
  rm -rf "$work"
  have_python_packages
}
