package ozeki

import (
	"crypto/md5"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// Ids of the API. User ids, conversation ids and station ids are 32 lower-case hexadecimal digits; message and report
// ids are UUIDs (a report id may also be 32 hexadecimal digits); an instance is 10 letters and digits.
type (
	// UserID names a person: lower-case hex md5 of the e-mail address (published).
	UserID string
	// ConversationID names a conversation. See DirectConversationID for one-to-one conversations.
	ConversationID string
	// MessageID is the UUID that the sending client gives a message. A repeat of an id is the same message.
	MessageID string
	// ReportID names a delivery report.
	ReportID string
	// StationID names one installation of a client. It is kept like a secret, since the notification call is not signed.
	StationID string
	// Instance names one run of a conversation's history; clearing a conversation gives it a new one.
	Instance string
)

// NormalEmail returns the form of an e-mail address from which ids and credentials are derived: surrounding white
// space removed, lower case.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// UserIDOf returns the user id of an e-mail address: the lower-case hexadecimal MD5 of its normal form (published).
// Use it only for the user's own address: where a server named an id, that id counts.
func UserIDOf(email string) UserID {
	sum := md5.Sum([]byte(NormalEmail(email)))
	return UserID(hex.EncodeToString(sum[:]))
}

// DirectConversationID returns the id of the one-to-one conversation of two users, in either order:
// md5(idA + ";" + idB) with the ids ascending (published).
func DirectConversationID(a, b UserID) ConversationID {
	if b < a {
		a, b = b, a
	}
	sum := md5.Sum([]byte(string(a) + ";" + string(b)))
	return ConversationID(hex.EncodeToString(sum[:]))
}

// NewMessageID returns a fresh random message id (UUID version 4).
func NewMessageID() MessageID { return MessageID(uuid.NewString()) }

// NewReportID returns a fresh random report id (UUID version 4).
func NewReportID() ReportID { return ReportID(uuid.NewString()) }

// NewRequestID returns a fresh random id for a signed request (UUID version 4).
func NewRequestID() string { return uuid.NewString() }

// NewConversationID returns a fresh random id for a conversation that is not one-to-one.
func NewConversationID() ConversationID { return ConversationID(hexUUID()) }

// NewStationID returns a fresh random station id: 32 hexadecimal digits, 122 of the 128 bits random (a version 4 UUID
// without its dashes).
func NewStationID() StationID { return StationID(hexUUID()) }

func hexUUID() string {
	id := uuid.New()
	return hex.EncodeToString(id[:])
}

const instanceAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// NewInstance returns a fresh random instance: 10 letters and digits.
func NewInstance() Instance {
	// 62 does not divide 256: draw again above the largest multiple, so that every letter is as likely.
	out := make([]byte, 0, 10)
	for {
		block := uuid.New()
		for i, b := range block {
			if i == 6 || i == 8 { // version and variant bits are not random
				continue
			}
			if b < 248 {
				out = append(out, instanceAlphabet[b%62])
				if len(out) == 10 {
					return Instance(out)
				}
			}
		}
	}
}

// Valid reports whether the id is 32 lower-case hexadecimal digits.
func (id UserID) Valid() bool { return isHex32(string(id)) }

// Valid reports whether the id is 32 lower-case hexadecimal digits.
func (id ConversationID) Valid() bool { return isHex32(string(id)) }

// Valid reports whether the id is 32 lower-case hexadecimal digits.
func (id StationID) Valid() bool { return isHex32(string(id)) }

// Valid reports whether the id is a UUID in its 36-character form.
func (id MessageID) Valid() bool {
	_, err := uuid.Parse(string(id))
	return err == nil && len(id) == 36
}

func isHex32(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
