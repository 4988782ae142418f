package git

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"
)

// sshSignature is the signature of OpenSSH's PROTOCOL.sshsig, after its magic.
type sshSignature struct {
	Version                        uint32
	PublicKey                      []byte
	Namespace, Reserved, Algorithm string
	Signature                      []byte
}

// signedData is what such a signature is of.
type signedData struct {
	Namespace, Reserved, Algorithm string
	Hash                           []byte
}

const sshMagic = "SSHSIG"

// SSHSigner returns a function that signs commits with a private key of OpenSSH,
// as git does with gpg.format=ssh.
func SSHSigner(key Secret) (func(commit []byte) (string, error), error) {
	signer, err := ssh.ParsePrivateKey([]byte(key.reveal()))
	if err != nil {
		return nil, errors.New("the key for signing is not a private key of OpenSSH without a passphrase")
	}
	return func(commit []byte) (string, error) {
		sum := sha512.Sum512(commit)
		data := append([]byte(sshMagic), ssh.Marshal(signedData{"git", "", "sha512", sum[:]})...)
		signature, err := sign(signer, data)
		if err != nil {
			return "", err
		}
		raw := append([]byte(sshMagic), ssh.Marshal(sshSignature{
			1, signer.PublicKey().Marshal(), "git", "", "sha512", ssh.Marshal(signature),
		})...)
		text := base64.StdEncoding.EncodeToString(raw)
		var b strings.Builder
		b.WriteString("-----BEGIN SSH SIGNATURE-----\n")
		for len(text) > 0 {
			n := min(len(text), 70)
			b.WriteString(text[:n] + "\n")
			text = text[n:]
		}
		b.WriteString("-----END SSH SIGNATURE-----\n")
		return b.String(), nil
	}, nil
}

// sign signs with SHA-512 where the kind of key leaves a choice: RSA with SHA-1 is
// not taken.
func sign(signer ssh.Signer, data []byte) (*ssh.Signature, error) {
	if a, ok := signer.(ssh.AlgorithmSigner); ok && signer.PublicKey().Type() == ssh.KeyAlgoRSA {
		return a.SignWithAlgorithm(rand.Reader, data, ssh.KeyAlgoRSASHA512)
	}
	return signer.Sign(rand.Reader, data)
}
