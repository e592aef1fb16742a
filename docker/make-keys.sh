#!/bin/sh
# Makes the keys of a composed cluster where there are none yet, each in the volume of the one service
# that may read it; and the list of who may take part, which is the operator's from then on.
set -eu
for role in coordinator worker client operator; do
  # The public half is written last: without it there is no whole pair.
  if [ ! -e "/keys/$role/key.pub" ]; then
    rm -f "/keys/$role/key"
    attnmesh keygen --output "/keys/$role/key" --role "$role" --name "$role"
  fi
done
cp /keys/coordinator/key.pub /keys/public/coordinator.pub
if [ ! -e /keys/public/allow ]; then
  {
    echo "# Who may take part: ROLE NAME PUBLICKEY. A line that is removed is revoked."
    cat /keys/worker/key.pub /keys/client/key.pub /keys/operator/key.pub
  } >/keys/public/allow.new
  mv /keys/public/allow.new /keys/public/allow
fi
